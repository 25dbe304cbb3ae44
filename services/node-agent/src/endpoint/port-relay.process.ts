/**
 * A process of its own inside the network of a sandbox, because a network can only be entered as a whole. It listens at
 * a socket in the file system, which networks do not part, and connects whoever comes to the program's port: one byte
 * says that the program is there. Ends with the agent, whose end closes its standard input.
 */
import { rmdirSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { dirname } from 'node:path';

const [path = '', port = ''] = process.argv.slice(2);
const CONNECTED = Uint8Array.of(1);

const server = createServer({ allowHalfOpen: true }, agent => {
  const program = connect({ host: '127.0.0.1', port: Number(port), allowHalfOpen: true });
  program.once('connect', () => {
    agent.write(CONNECTED);
    agent.pipe(program);
    program.pipe(agent);
  });
  for (const [one, other] of [
    [agent, program],
    [program, agent],
  ] as const) {
    one.once('error', () => other.destroy());
    one.once('close', () => other.destroy());
  }
});
server.listen(path, () => process.stdout.write('ready\n'));

process.stdin.resume().once('end', () => {
  server.close();
  try {
    rmdirSync(dirname(path));
  } finally {
    process.exit();
  }
});
