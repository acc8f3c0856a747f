import protobuf from 'protobufjs'
import t from 'tap'
import { MESSAGES } from '../../src/otlp/schema.ts'
import { messageType, scalarOf, typeOf } from '../oracle/oracle.ts'
import { isPackable } from '../oracle/wire-tree.ts'

/** Our names of the oracle's messages. */
function nameOf(type: protobuf.Type): string {
  return type.fullName.slice(1)
}

for (const [message, fields] of Object.entries(MESSAGES)) {
  t.test(`every field of ${message} is as in the .proto`, async (t) => {
    const type = messageType(message)
    if (!message.startsWith('google.')) t.equal(fields.length, type.fieldsArray.length)
    t.same(
      fields.map((field) => field.number),
      fields.map((field) => field.number).toSorted((a, b) => a - b),
      'in the order of their numbers',
    )
    for (const field of fields) {
      const reflected = type.fieldsById[field.number]
      const nested = typeOf(reflected)
      const isOptional = reflected.options?.proto3_optional === true
      const isEnum = reflected.resolvedType instanceof protobuf.Enum
      const isId = /(trace|span)id$/i.test(reflected.name)
      t.strictSame(
        field,
        {
          number: reflected.id,
          name: reflected.name,
          kind: nested ? 'message' : isEnum ? 'enum' : isId ? 'hexId' : scalarOf(reflected),
          repeated: reflected.repeated,
          packed: reflected.repeated && isPackable(reflected),
          presence: isOptional || reflected.partOf !== null,
          oneof: isOptional ? undefined : (reflected.partOf?.name ?? undefined),
          message: nested === undefined ? undefined : nameOf(nested),
        },
        field.name,
      )
    }
  })
}

t.test('every message that a field names is in the table, and has one oneof at most', async (t) => {
  for (const fields of Object.values(MESSAGES)) {
    for (const field of fields) if (field.message !== undefined) t.hasOwnProp(MESSAGES, field.message)
    t.ok(new Set(fields.flatMap((field) => field.oneof ?? [])).size <= 1)
    t.ok(fields.length < 31, 'fields are bits of a number')
  }
})
