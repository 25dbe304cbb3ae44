import { Writable } from 'node:stream';
import type Docker from 'dockerode';
import type { Follower, LogSource } from '../runtime/task-runtime.js';

/** Passes on what a container writes, until it ends. */
export async function hearContainer(container: Docker.Container, follower: Follower): Promise<void> {
  const stream = await container.logs({ follow: true, stdout: true, stderr: true });
  const heard = (source: LogSource) =>
    new Writable({
      write(bytes: Uint8Array, _encoding, done) {
        follower.write(source, bytes);
        done();
      },
    });
  (container.modem as Docker['modem']).demuxStream(stream, heard('stdout'), heard('stderr'));
  // What is missing of a log is no reason to end the program.
  stream.on('error', () => undefined);
}
