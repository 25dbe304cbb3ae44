/**
 * The smallest WebAssembly programs that go wrong in each way, assembled by hand: one memory page, an exported
 * `_start`, no imports. `body` is the code of `_start` after its (empty) list of locals.
 */
const program = (...body: readonly number[]): Uint8Array => {
  const size = body.length + 1;
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00], // magic and version
    ...[0x01, 0x04, 0x01, 0x60, 0x00, 0x00], // one type: () -> ()
    ...[0x03, 0x02, 0x01, 0x00], // one function of that type
    ...[0x05, 0x03, 0x01, 0x00, 0x01], // one memory of at least one page
    ...[0x07, 0x13, 0x02, 0x06, ...ascii('memory'), 0x02, 0x00, 0x06, ...ascii('_start'), 0x00, 0x00],
    ...[0x0a, size + 2, 0x01, size, 0x00, ...body],
  ]);
};

const ascii = (text: string): readonly number[] => [...text].map(letter => letter.charCodeAt(0));

const END = 0x0b;
const UNREACHABLE = 0x00;
const LOOP = [0x03, 0x40];
const BRANCH_TO_LOOP = [0x0c, 0x00];
/** Asks for 16 pages (1 MiB) and traps when refused. */
const GROW_OR_TRAP = [0x41, 0x10, 0x40, 0x00, 0x41, 0x7f, 0x46, 0x04, 0x40, UNREACHABLE, END];

/** Ends at once, with nothing written. */
export const idleProgram = program(END);
export const trappingProgram = program(UNREACHABLE, END);
export const endlessProgram = program(...LOOP, ...BRANCH_TO_LOOP, END, END);
export const growingProgram = program(...LOOP, ...GROW_OR_TRAP, ...BRANCH_TO_LOOP, END, END);
export const notAProgram = Uint8Array.from(ascii('this is not WebAssembly'));
