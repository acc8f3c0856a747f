/**
 * Types of the two undici modules that an exporter needs. The package's main module also loads fetch, WebSocket,
 * caches and mocks: 13 MiB and 40 ms more, for nothing that Laneway uses.
 */
declare module 'undici/lib/dispatcher/client.js' {
  import { Client } from 'undici'
  export default Client
}

declare module 'undici/lib/core/connect.js' {
  import { buildConnector } from 'undici'
  export default buildConnector
}
