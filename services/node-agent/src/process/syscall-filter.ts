import { NEWEST_KNOWN, REFUSED_CALLS, WATCHED_CALLS } from './syscalls.js';

/** One instruction of the classic Berkeley packet filter: `struct sock_filter` of linux/filter.h. */
type Instruction = readonly [code: number, ifTrue: number, ifFalse: number, operand: number];

const LOAD_WORD = 0x20;
const JUMP_IF_EQUAL = 0x15;
const JUMP_IF_GREATER = 0x25;
const JUMP_IF_ANY_BIT = 0x45;
const RETURN = 0x06;

/** `struct seccomp_data` of linux/seccomp.h; of each argument the lower half, which comes first on both. */
const NUMBER_AT = 0;
const ARCHITECTURE_AT = 4;
const argumentAt = (index: number) => 16 + 8 * index;

const KILL_PROCESS = 0x80000000;
const ALLOW = 0x7fff0000;
const failWith = (errno: number) => 0x00050000 | errno;
const EPERM = 1;
const ENOSYS = 38;
const EAFNOSUPPORT = 97;

/** The architecture's number in linux/audit.h, and its column in the table of calls. */
const ARCHITECTURES: Readonly<Record<string, { readonly audit: number; readonly column: 0 | 1 }>> = {
  x64: { audit: 0xc000003e, column: 0 },
  arm64: { audit: 0xc00000b7, column: 1 },
};
/** Namespaces of all kinds, as `clone` takes them. */
const NAMESPACE_FLAGS = 0x7e020000;
/** Those of a machine's own sockets and the two internets: a virtual machine's host, for one, is reached by others. */
const SOCKET_FAMILIES = { unix: 1, inet: 2, inet6: 10, netlink: 16 };
/** Both put words into the mouth of whoever sits at a terminal. */
const TERMINAL_REQUESTS = { TIOCSTI: 0x5412, TIOCLINUX: 0x541c };

export const isFilterKnown = (architecture: string): boolean => architecture in ARCHITECTURES;

/** A seccomp filter for bubblewrap's `--seccomp`: refuses by an error what the tables name, and allows the rest. */
export function syscallFilter(architecture: string): Uint8Array {
  const known = ARCHITECTURES[architecture];
  if (!known) throw new Error(`there is no filter of system calls for ${architecture}`);
  const { audit, column } = known;
  const refused = Object.values(REFUSED_CALLS).flatMap(numbers => numbers[column] ?? []);
  return encoded([
    [LOAD_WORD, 0, 0, ARCHITECTURE_AT],
    // A call by the numbers of another architecture would pass by all that follows.
    [JUMP_IF_EQUAL, 1, 0, audit],
    [RETURN, 0, 0, KILL_PROCESS],
    [LOAD_WORD, 0, 0, NUMBER_AT],
    // Numbers of x32 too lie above the newest one known.
    [JUMP_IF_GREATER, 0, 1, NEWEST_KNOWN],
    [RETURN, 0, 0, failWith(ENOSYS)],
    ...refused.flatMap(number => when(number, [[RETURN, 0, 0, failWith(EPERM)]])),
    ...watched(column),
    [RETURN, 0, 0, ALLOW],
  ]);
}

function watched(column: 0 | 1): readonly Instruction[] {
  const { clone, clone3, socket, ioctl } = WATCHED_CALLS;
  const families = Object.values(SOCKET_FAMILIES);
  return [
    ...when(clone[column], [
      [LOAD_WORD, 0, 0, argumentAt(0)],
      [JUMP_IF_ANY_BIT, 0, 1, NAMESPACE_FLAGS],
      [RETURN, 0, 0, failWith(EPERM)],
      [RETURN, 0, 0, ALLOW],
    ]),
    // Its flags lie in memory, where no filter can look: the C library then uses `clone`.
    ...when(clone3[column], [[RETURN, 0, 0, failWith(ENOSYS)]]),
    ...when(socket[column], [
      [LOAD_WORD, 0, 0, argumentAt(0)],
      ...families.map((family, index): Instruction => [JUMP_IF_EQUAL, families.length - index, 0, family]),
      [RETURN, 0, 0, failWith(EAFNOSUPPORT)],
      [RETURN, 0, 0, ALLOW],
    ]),
    ...when(ioctl[column], [
      [LOAD_WORD, 0, 0, argumentAt(1)],
      [JUMP_IF_EQUAL, 1, 0, TERMINAL_REQUESTS.TIOCSTI],
      [JUMP_IF_EQUAL, 0, 1, TERMINAL_REQUESTS.TIOCLINUX],
      [RETURN, 0, 0, failWith(EPERM)],
      [RETURN, 0, 0, ALLOW],
    ]),
  ];
}

/** Every block ends by returning, so that the loaded number is still that of the call where one is skipped. */
const when = (number: number, block: readonly Instruction[]): readonly Instruction[] => [
  [JUMP_IF_EQUAL, 0, block.length, number],
  ...block,
];

function encoded(program: readonly Instruction[]): Uint8Array {
  const bytes = new DataView(new ArrayBuffer(8 * program.length));
  program.forEach(([code, ifTrue, ifFalse, operand], index) => {
    bytes.setUint16(8 * index, code, true);
    bytes.setUint8(8 * index + 2, ifTrue);
    bytes.setUint8(8 * index + 3, ifFalse);
    bytes.setUint32(8 * index + 4, operand, true);
  });
  return new Uint8Array(bytes.buffer);
}
