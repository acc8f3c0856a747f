/** Addresses to listen on: how they are read, which are loopback, and which clash. */
import t from 'tap'
import { addressesClash, isLoopback, parseListenAddress } from '../../src/config/address.ts'
import type { ListenAddress } from '../../src/config/config.ts'

function address(text: string): ListenAddress {
  const parsed = parseListenAddress(text)
  if (parsed.kind === 'fault') throw new Error(parsed.message)
  return parsed
}

t.test('host and port, brackets, every address, and sockets are read', async (t) => {
  t.same(['localhost:4318', '[::1]:0', ':4318', 'unix:///run/otlp.sock'].map(address), [
    { kind: 'tcp', host: 'localhost', port: 4318 },
    { kind: 'tcp', host: '::1', port: 0 },
    { kind: 'tcp', host: '::', port: 4318 },
    { kind: 'unix', path: '/run/otlp.sock' },
  ])
})

t.test('what is no address says how to write one', async (t) => {
  for (const text of [
    '4318',
    'localhost',
    'localhost:',
    'localhost:65536',
    '::1:4318',
    'http://localhost:4318',
    'unix://run/x',
    'unix:/x',
    'unix:///',
    'a b:1',
  ]) {
    t.match(parseListenAddress(text), { kind: 'fault', message: /`(localhost:4318|unix:\/\/\/)/ }, text)
  }
})

t.test('only this machine is loopback', async (t) => {
  t.same(
    ['localhost:1', '127.0.0.1:1', '127.9.9.9:1', '[::1]:1', 'unix:///a'].map((text) =>
      isLoopback(address(text)),
    ),
    [true, true, true, true, true],
  )
  t.same(
    ['0.0.0.0:1', ':1', '10.0.0.1:1', '127.evil.example:1'].map((text) => isLoopback(address(text))),
    [false, false, false, false],
  )
})

t.test('addresses clash where both would listen', async (t) => {
  const clash = (one: string, other: string): boolean => addressesClash(address(one), address(other))
  t.ok(
    clash('localhost:1', '127.0.0.1:1') &&
      clash('[::1]:1', 'localhost:1') &&
      clash('0.0.0.0:1', '10.0.0.1:1') &&
      clash('unix:///a', 'unix:///a'),
  )
  t.notOk(
    clash('localhost:1', 'localhost:2') ||
      clash('localhost:0', 'localhost:0') ||
      clash('127.0.0.1:1', '[::1]:1') ||
      clash('unix:///a', ':1'),
  )
})
