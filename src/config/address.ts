/**
 * Addresses to listen on: `host:port`, `[::1]:port`, `:port` (every address) or `unix:///path`.
 */
import type { ListenAddress } from './config.ts'

const WILDCARDS: ReadonlySet<string> = new Set(['0.0.0.0', '::'])

/** The address, or what is wrong with the text and how to write it. */
export function parseListenAddress(
  text: string,
): ListenAddress | { readonly kind: 'fault'; readonly message: string } {
  if (text.startsWith('unix:')) {
    const path = text.slice('unix://'.length)
    if (text.startsWith('unix:///') && path !== '/' && !path.endsWith('/')) return { kind: 'unix', path }
    return {
      kind: 'fault',
      message: 'a socket is written with its whole path: `unix:///run/laneway/otlp.sock`',
    }
  }
  if (/^[a-z]+:\/\//.test(text)) {
    return { kind: 'fault', message: 'an address to listen on has no scheme: write `localhost:4318`' }
  }
  const [, bracketed, plain, digits] =
    /^(?:\[([0-9A-Fa-f:.]+)\]|([^[\]:/\s]*)):([0-9]{1,5})$/.exec(text) ?? []
  const port = Number(digits)
  if (digits === undefined || port > 65_535) {
    return {
      kind: 'fault',
      message:
        'not an address: write host and port, such as `localhost:4318` or `[::1]:4318`, or `unix:///path`',
    }
  }
  return { kind: 'tcp', host: bracketed ?? (plain || '::'), port }
}

export function isLoopback(address: ListenAddress): boolean {
  if (address.kind === 'unix') return true
  const { host } = address
  return host === 'localhost' || host === '::1' || /^127(\.[0-9]{1,3}){3}$/.test(host)
}

/** True if two listeners cannot both have their address. Port 0 is another port each time. */
export function addressesClash(one: ListenAddress, other: ListenAddress): boolean {
  if (one.kind === 'unix' || other.kind === 'unix') {
    return one.kind === 'unix' && other.kind === 'unix' && one.path === other.path
  }
  if (one.port !== other.port || one.port === 0) return false
  if (WILDCARDS.has(one.host) || WILDCARDS.has(other.host)) return true
  return hostsOf(one.host).some((host) => hostsOf(other.host).includes(host))
}

function hostsOf(host: string): readonly string[] {
  return host === 'localhost' ? ['127.0.0.1', '::1'] : [host]
}
