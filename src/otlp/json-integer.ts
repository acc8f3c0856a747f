/**
 * A JSON number as a 64-bit integer, exactly: no digit of a nanosecond or of an int64 is lost.
 *
 * In: the range of a number that JSON's grammar allows. Out: its magnitude in two 32-bit halves and its
 * sign, or the news that it is no integer, or too large for 64 bits.
 */

export type IntegerFit = 'fits' | 'too_large' | 'not_integral'

/** Scratch: holds the last integer read. */
export class JsonInteger {
  negative = false
  /** The magnitude: low and high half, unsigned. */
  low = 0
  high = 0

  read(bytes: Buffer, start: number, end: number): IntegerFit {
    this.negative = bytes[start] === 0x2d
    const first = this.negative ? start + 1 : start
    let upper = 0
    let lower = 0
    // Twenty digits hold every unsigned 64-bit integer: eleven and nine are both exact in a double.
    const middle = end - first > 15 ? end - 9 : first
    if (end - first > 20) return this.#readLong(bytes, first, end)
    for (let at = first; at < middle; at++) {
      const digit = bytes[at] - 0x30
      if (digit < 0 || digit > 9) return this.#readLong(bytes, first, end)
      upper = upper * 10 + digit
    }
    for (let at = middle; at < end; at++) {
      const digit = bytes[at] - 0x30
      if (digit < 0 || digit > 9) return this.#readLong(bytes, first, end)
      lower = lower * 10 + digit
    }
    return upper === 0 ? this.#fromDouble(lower) : this.#fromHalves(upper, lower)
  }

  #fromDouble(value: number): IntegerFit {
    this.low = value >>> 0
    this.high = Math.floor(value / 0x1_0000_0000)
    return 'fits'
  }

  /** upper × 10^9 + lower, in steps that stay below 2^53. */
  #fromHalves(upper: number, lower: number): IntegerFit {
    const scaledHigh = Math.floor(upper / 0x1_0000) * 1e9
    const scaledLow = (upper % 0x1_0000) * 1e9 + lower
    const rest = (scaledHigh % 0x1_0000) * 0x1_0000 + scaledLow
    this.low = rest >>> 0
    this.high = Math.floor(scaledHigh / 0x1_0000) + Math.floor(rest / 0x1_0000_0000)
    return this.high > 0xffff_ffff ? 'too_large' : 'fits'
  }

  /** With a fraction, an exponent, or many digits. */
  #readLong(bytes: Buffer, start: number, end: number): IntegerFit {
    const [mantissa, exponent = '0'] = bytes.toString('latin1', start, end).toLowerCase().split('e')
    const [whole, fraction = ''] = mantissa.split('.')
    const digits = `${whole}${fraction}`.replace(/^0+/, '')
    const significant = withoutTrailingZeros(digits)
    if (significant === '') return this.#fromDouble(0)
    const scale = Number(exponent) - fraction.length + (digits.length - significant.length)
    if (scale < 0) return 'not_integral'
    if (significant.length + scale > 20) return 'too_large'
    const value = BigInt(significant) * 10n ** BigInt(scale)
    if (value > 0xffff_ffff_ffff_ffffn) return 'too_large'
    this.low = Number(value & 0xffff_ffffn)
    this.high = Number(value >> 32n)
    return 'fits'
  }
}

/** A regular expression would take quadratic time on a long run of zeros in the middle. */
function withoutTrailingZeros(digits: string): string {
  let end = digits.length
  while (end > 0 && digits[end - 1] === '0') end--
  return digits.slice(0, end)
}
