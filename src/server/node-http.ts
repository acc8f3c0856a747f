/**
 * Node's HTTP server, without the rest of `node:http`.
 *
 * An ES import of that module reads all its exports, among them WebSocket and two more that are loaded when they
 * are read: with them comes the whole of Node's built-in HTTP client, 3 MiB and 20–40 ms that nothing here uses.
 * `require` reads only what it is asked for.
 */
import { createRequire } from 'node:module'

const http: typeof import('node:http') = createRequire(import.meta.url)('node:http')

export const createServer: typeof http.createServer = http.createServer
