import fc from 'fast-check'
import t from 'tap'
import { exportReply, parseExportReply, parseStatusMessage, statusReply } from '../../src/otlp/reply.ts'
import { SIGNAL_TRAITS, SIGNALS } from '../../src/otlp/signal.ts'
import { decode, encode, messagesOf } from '../oracle/oracle.ts'

const PROTO = 'application/x-protobuf'
const JSON_TYPE = 'application/json; charset=utf-8'
const NOTHING = { rejectedItems: 0, message: '' }

t.test('full success leaves partial_success unset', async (t) => {
  for (const signal of SIGNALS) {
    const response = SIGNAL_TRAITS[signal].requestMessage.replace('Request', 'Response')
    t.strictSame(decode(response, exportReply(signal, 'proto')), {})
    t.equal(Buffer.from(exportReply(signal, 'json')).toString(), '{}')
  }
})

t.test('a refusal is a google.rpc.Status, with what is wrong in the request', async (t) => {
  const badRequest = { field: 'resourceLogs[0]', description: 'expected an object' }
  const proto = decode(
    'google.rpc.Status',
    statusReply({ grpcCode: 3, message: 'no', encoding: 'proto', badRequest }),
  )
  t.equal(proto.code, 3)
  t.equal(proto.message, 'no')
  const [any] = messagesOf(proto, 'details')
  t.equal(any.typeUrl, 'type.googleapis.com/google.rpc.BadRequest')
  t.strictSame(decode('google.rpc.BadRequest', Buffer.from(String(any.value), 'hex')), {
    fieldViolations: [badRequest],
  })
  const json: unknown = JSON.parse(
    Buffer.from(statusReply({ grpcCode: 3, message: 'no', encoding: 'json', badRequest })).toString(),
  )
  t.strictSame(json, {
    code: 3,
    message: 'no',
    details: [{ '@type': 'type.googleapis.com/google.rpc.BadRequest', fieldViolations: [badRequest] }],
  })
  t.equal(
    Buffer.from(statusReply({ grpcCode: 14, message: 'full', encoding: 'json' })).toString(),
    '{"code":14,"message":"full"}',
  )
  t.strictSame(
    decode('google.rpc.Status', statusReply({ grpcCode: 14, message: 'full', encoding: 'proto' })),
    {
      code: 14,
      message: 'full',
    },
  )
})

t.test('a refusal is bounded, and cut between characters', async (t) => {
  const long = '👀'.repeat(100_000)
  for (const encoding of ['proto', 'json'] as const) {
    const body = statusReply({
      grpcCode: 3,
      message: `x${long}`,
      encoding,
      badRequest: { field: long, description: long },
    })
    t.ok(body.length < 16_384)
    const text =
      encoding === 'json' ? Buffer.from(body).toString() : decode('google.rpc.Status', body).message
    t.notMatch(text, /\ufffd/)
    t.notMatch(text, /\\ud83d/)
  }
})

t.test('rejected items and the message of a partial success are read in both encodings', async (t) => {
  for (const signal of SIGNALS) {
    const { requestMessage, rejectedKey } = SIGNAL_TRAITS[signal]
    const partialSuccess = { [rejectedKey]: 7n, errorMessage: 'too\nold\u0000' }
    const proto = encode(requestMessage.replace('Request', 'Response'), { partialSuccess })
    const expected = { rejectedItems: 7, message: 'too old' }
    t.strictSame(parseExportReply(signal, proto, PROTO), expected)
    for (const count of ['7', '"7"']) {
      const json = `{"partialSuccess":{"${rejectedKey}":${count},"errorMessage":"too\\nold\\u0000"}}`
      t.strictSame(parseExportReply(signal, Buffer.from(json), JSON_TYPE), expected)
    }
  }
})

t.test("a refusal's message is read from Status and from plain text", async (t) => {
  const status = { code: 3, message: 'bad\u001b[31mthing' }
  t.equal(parseStatusMessage(encode('google.rpc.Status', status), PROTO), 'bad [31mthing')
  t.equal(parseStatusMessage(Buffer.from(JSON.stringify(status)), JSON_TYPE), 'bad [31mthing')
  t.equal(
    parseStatusMessage(Buffer.from('entry too far behind\n'), 'text/plain; charset=utf-8'),
    'entry too far behind',
  )
  t.equal(parseStatusMessage(Buffer.from('<html>'), 'text/html'), '')
  t.equal(parseStatusMessage(Buffer.from('x'.repeat(10_000)), 'text/plain').length, 512)
})

t.test('garbage from a backend means nothing, and never throws', async (t) => {
  const cases = [
    [PROTO, 'hello'],
    [PROTO, '\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01'],
    [PROTO, '\x0a\x0b\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01'],
    [JSON_TYPE, '{"partialSuccess":{"rejectedLogRecords":-5}}'],
    [JSON_TYPE, '{"partialSuccess":{"rejectedLogRecords":"many","errorMessage":5}}'],
    [JSON_TYPE, '{"partialSuccess":[]}'],
    [JSON_TYPE, 'null'],
    [JSON_TYPE, '{'],
    ['', '{"partialSuccess":{"rejectedLogRecords":5}}'],
  ] as const
  for (const [type, body] of cases)
    t.strictSame(parseExportReply('logs', Buffer.from(body, 'latin1'), type), NOTHING, body)
  const huge = Buffer.from('{"partialSuccess":{"rejectedLogRecords":1e300}}')
  t.equal(parseExportReply('logs', huge, JSON_TYPE).rejectedItems, Number.MAX_SAFE_INTEGER)
  const nested = Buffer.from('['.repeat(1_000_000))
  t.strictSame(parseExportReply('logs', nested, JSON_TYPE), NOTHING)
  fc.assert(
    fc.property(fc.uint8Array(), fc.constantFrom(PROTO, JSON_TYPE, 'text/plain', ''), (body, type) => {
      for (const signal of SIGNALS) parseExportReply(signal, body, type)
      parseStatusMessage(body, type)
    }),
    { numRuns: 500 },
  )
})
