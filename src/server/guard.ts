/**
 * Who may speak to the admin port: the rules on Host, Origin, token and content type, as one pure decision.
 *
 * The port is on loopback, where any page in a browser can reach it: by a name that resolves to 127.0.0.1 (so a
 * foreign Host is refused), or from another origin (so a foreign Origin is refused, and a POST must have a content
 * type that a page cannot send without being asked about its origin).
 */
import { createHash, timingSafeEqual } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { ListenAddress } from '../config/config.ts'

export interface Guard {
  readonly status: 401 | 403 | 415
  readonly message: string
}

export interface GuardOptions {
  readonly address: ListenAddress
  /** Whatever Host and Origin: probes and scrapers come by any name. */
  readonly isPublic: boolean
  /** The token that is asked for, read now; undefined if none is. */
  readonly token: string | undefined
}

/** Undefined if the request may pass. */
export function findObjection(request: IncomingMessage, options: GuardOptions): Guard | undefined {
  const { host, origin, authorization, 'content-type': contentType } = request.headers
  if (!options.isPublic) {
    if (options.address.kind === 'tcp' && !isOwnName(host, options.address.host)) return FOREIGN_HOST
    if (origin !== undefined && !isOwnOrigin(origin, host, options.address)) return FOREIGN_ORIGIN
  }
  if (options.token !== undefined && !isToken(authorization, options.token)) return NO_TOKEN
  if (request.method === 'POST' && mediaType(contentType) !== 'application/json') return NOT_JSON
  return undefined
}

const FOREIGN_HOST: Guard = {
  status: 403,
  message: 'the Host header names another machine; use localhost, 127.0.0.1, [::1] or the configured host',
}
const FOREIGN_ORIGIN: Guard = { status: 403, message: 'requests from pages of another origin are refused' }
const NO_TOKEN: Guard = {
  status: 401,
  message: 'an `authorization: Bearer` header with the admin token is needed',
}
const NOT_JSON: Guard = { status: 415, message: 'a POST needs content-type application/json' }

/** `name`, `name:port`, `[::1]:port`: whatever the port, since it may be forwarded. */
function isOwnName(host: string | undefined, configured: string): boolean {
  if (host === undefined) return false
  const name = host.replace(/:\d*$/, '').toLowerCase()
  const own = configured.includes(':') ? `[${configured}]` : configured
  return ['localhost', '127.0.0.1', '[::1]', own.toLowerCase()].includes(name)
}

/** A page that this port served has the Host that it was asked by as its origin. */
function isOwnOrigin(origin: string, host: string | undefined, address: ListenAddress): boolean {
  if (address.kind === 'unix' || host === undefined) return false
  return origin.toLowerCase() === `http://${host.toLowerCase()}`
}

/** Compares digests, so that neither the time taken nor a length tells anything. */
function isToken(authorization: string | undefined, token: string): boolean {
  const given = /^bearer +(.+)$/i.exec(authorization ?? '')?.[1] ?? ''
  return token !== '' && timingSafeEqual(digest(given.trim()), digest(token))
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}

function mediaType(contentType: string | undefined): string {
  return (contentType ?? '').split(';', 1)[0].trim().toLowerCase()
}
