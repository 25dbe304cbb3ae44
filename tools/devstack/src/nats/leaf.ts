import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { leafConfigOf, leafCredentials } from '@astro/jetstream/leaf';
import type { OperatorKit } from '@astro/jetstream/operator-kit';
import { startNats, type NatsOptions, type NatsServer } from './server.js';

export type LeafOptions = Pick<NatsOptions, 'dir' | 'port' | 'log' | 'onExit'> & {
  readonly kit: OperatorKit;
  /** Where the server that stores waits for leaves. */
  readonly hubUrl: string;
};

/** Starts a NATS server that agents connect to and that stores nothing; resolves when it takes connections. */
export async function startLeaf({ kit, hubUrl, ...options }: LeafOptions): Promise<NatsServer> {
  await mkdir(options.dir, { recursive: true });
  const texts = leafCredentials(kit, 'leaf');
  const write = async (name: keyof typeof texts) => {
    const file = join(options.dir, `${name}.creds`);
    await writeFile(file, texts[name], { mode: 0o600 });
    return file;
  };
  const credentialsFiles = { platform: await write('platform'), system: await write('system') };
  const settings = leafConfigOf(kit, { hubUrls: [hubUrl], credentialsFiles });
  return startNats({ ...options, kit, settings, stores: false });
}
