/** The part of the WebAssembly JavaScript interface that the sandbox uses; Node has it, its types do not. */
declare namespace WebAssembly {
  type ImportEntry = { readonly module: string; readonly name: string; readonly kind: string };

  class Module {
    constructor(bytes: Uint8Array);
    static imports(module: Module): ImportEntry[];
  }

  class Instance {
    constructor(module: Module, imports: Record<string, Record<string, unknown>>);
    readonly exports: Record<string, unknown>;
  }

  class Memory {
    constructor(descriptor: { readonly initial: number });
    readonly buffer: ArrayBuffer;
  }

  class Global {
    private constructor();
    readonly value: unknown;
  }

  function validate(bytes: Uint8Array): boolean;

  class CompileError extends Error {}
  class LinkError extends Error {}
  class RuntimeError extends Error {}
}
