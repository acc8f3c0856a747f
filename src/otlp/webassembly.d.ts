/**
 * What is used of WebAssembly, which Node has and its types leave to the library of browsers.
 * Source: webassembly.github.io/spec/js-api.
 */
declare namespace WebAssembly {
  class Module {
    constructor(bytes: Uint8Array<ArrayBuffer>)
  }
  class Instance {
    constructor(module: Module)
    readonly exports: Readonly<Record<string, unknown>>
  }
  class Global {
    readonly value: unknown
  }
  class Memory {
    readonly buffer: ArrayBuffer
    grow(pages: number): number
  }
}
