/**
 * The `debug` exporter: one line a parcel on standard error. Counts and configured names only, never content.
 */
import type { DebugExporterConfig } from '../../config/config.ts'
import { SENT, type Sender } from '../outcome.ts'

export function createDebugSender(
  config: DebugExporterConfig,
  { stderr }: { readonly stderr: (text: string) => void },
): Sender {
  return {
    joinsParcels: true,
    async send(signal, parcels) {
      const lines = parcels.map(
        ({ lane, items, byteLength }) =>
          `${config.name} lane=${lane} signal=${signal} items=${items} bytes=${byteLength}\n`,
      )
      stderr(lines.join(''))
      return SENT
    },
    async close() {},
  }
}
