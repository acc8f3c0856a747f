/**
 * Opens the sockets of one configured address.
 *
 * In: the address and a maker of servers. Out: servers that listen, and their addresses as a client would write
 * them. `localhost` means both loopbacks, whatever the resolver says; a machine without IPv6 gets the one it has.
 * A Unix socket left behind by a process that is gone is removed; one that answers is not.
 */
import { once } from 'node:events'
import { chmod, lstat, unlink } from 'node:fs/promises'
import type { Server } from 'node:http'
import { connect } from 'node:net'
import type { ListenAddress } from '../config/config.ts'

/** Owner and group may send; others may not. */
const SOCKET_MODE = 0o660
/** Port 0 takes what is free on IPv4; the same port may be in use on IPv6. */
const PORT_TRIES_MAX = 8

export interface Listening {
  readonly servers: readonly Server[]
  /** `http://127.0.0.1:4318`, `http://[::1]:4318`, `unix:///run/laneway/otlp.sock`. */
  readonly addresses: readonly string[]
}

export async function listenOn(address: ListenAddress, createServer: () => Server): Promise<Listening> {
  if (address.kind === 'unix') return listenOnSocket(address.path, createServer())
  if (address.host !== 'localhost') return listenOnHost(address.host, address.port, createServer())
  for (let tries = 1; ; tries += 1) {
    const first = await listenOnHost('127.0.0.1', address.port, createServer())
    try {
      const second = await listenOnHost('::1', portOf(first.servers[0]), createServer())
      return {
        servers: [...first.servers, ...second.servers],
        addresses: [...first.addresses, ...second.addresses],
      }
    } catch (error) {
      if (isCode(error, ['EADDRNOTAVAIL', 'EAFNOSUPPORT'])) return first
      first.servers[0].close()
      if (address.port !== 0 || tries === PORT_TRIES_MAX || !isCode(error, ['EADDRINUSE'])) throw error
    }
  }
}

async function listenOnHost(host: string, port: number, server: Server): Promise<Listening> {
  // Without `ipv6Only` a server on `::` would take IPv4 too, and `::1` beside 127.0.0.1 is two servers anyway.
  server.listen({ host, port })
  await once(server, 'listening')
  const name = host.includes(':') ? `[${host}]` : host
  return { servers: [server], addresses: [`http://${name}:${portOf(server)}`] }
}

async function listenOnSocket(path: string, server: Server): Promise<Listening> {
  await removeStale(path)
  server.listen({ path })
  await once(server, 'listening')
  await chmod(path, SOCKET_MODE)
  return { servers: [server], addresses: [`unix://${path}`] }
}

async function removeStale(path: string): Promise<void> {
  const found = await lstat(path).catch(() => undefined)
  if (found === undefined || !found.isSocket()) return
  const socket = connect({ path })
  try {
    await once(socket, 'connect')
  } catch (error) {
    if (isCode(error, ['ECONNREFUSED'])) await unlink(path)
    return
  } finally {
    socket.destroy()
  }
}

function portOf(server: Server): number {
  const address = server.address()
  return typeof address === 'object' && address !== null ? address.port : 0
}

function isCode(error: unknown, codes: readonly string[]): boolean {
  return error instanceof Error && 'code' in error && codes.some((code) => code === error.code)
}
