import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readConnection } from '@astro/admin/connection';
import { Archive } from '@astro/archive/archive';
import { restore } from '@astro/archive/restore';
import { verify, type Verdict } from '@astro/archive/verify';
import { Bus } from '@astro/jetstream/bus';
import { reasonOf } from '@astro/jetstream/log';
import { eventStreamOf } from '@astro/jetstream/subjects';
import { readRequest, UsageError, type Request } from './request.js';

type Servers = {
  readonly natsUrl: string;
  readonly natsCredentialsFile?: string;
  readonly databaseUrl: string;
};

/** The environment names servers that no platform of this machine runs; without it, those of the state folder. */
function servers(env: NodeJS.ProcessEnv): Servers {
  const { NATS_URL: natsUrl, NATS_CREDENTIALS_FILE: natsCredentialsFile, DATABASE_URL: databaseUrl } = env;
  if (natsUrl && databaseUrl) {
    return { natsUrl, databaseUrl, ...(natsCredentialsFile && { natsCredentialsFile }) };
  }
  const repositoryRoot = join(dirname(fileURLToPath(import.meta.url)), '../../..');
  return readConnection(env['ASTRO_HOME'] || join(repositoryRoot, '.astro'));
}

/** `npm run archive`: what the archive and the event streams say of each other. Gives the exit code. */
async function main(args: readonly string[]): Promise<number> {
  const request = readRequest(args);
  const { natsUrl, natsCredentialsFile, databaseUrl } = servers(process.env);
  const bus = await Bus.connect({
    servers: natsUrl,
    name: 'archivist',
    ...(natsCredentialsFile && { credentials: readFileSync(natsCredentialsFile, 'utf8') }),
  });
  try {
    return await perform(request, bus, databaseUrl);
  } finally {
    await bus.close();
  }
}

async function perform(request: Request, bus: Bus, databaseUrl: string): Promise<number> {
  const inArchive = async <Result>(context: string, use: (archive: Archive) => Promise<Result>) => {
    const archive = new Archive({ url: databaseUrl, schema: context });
    return use(archive).finally(() => archive.close());
  };
  if (request.kind === 'restore') {
    const stream = eventStreamOf(request.context);
    const { messages } = await inArchive(request.context, archive => restore(bus, archive, stream));
    console.log(`${stream} holds the ${messages} events of its archive`);
    return 0;
  }
  let isSound = true;
  for (const context of request.contexts) {
    const { allowedLagMs } = request;
    const verdict = await inArchive(context, archive =>
      verify(bus, archive, eventStreamOf(context), { allowedLagMs }),
    );
    report(verdict);
    if (verdict.findings.length > 0) isSound = false;
  }
  return isSound ? 0 : 1;
}

function report({ stream, archivedTo, streamedTo, findings, isCutShort }: Verdict): void {
  const state = `archived to ${archivedTo}, stream ends at ${streamedTo}`;
  if (findings.length === 0) return console.log(`${stream}: sound; ${state}`);
  console.log(`${stream}: ${findings.length} findings${isCutShort ? ' and maybe more' : ''}; ${state}`);
  for (const { says } of findings) console.log(`  ${says}`);
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  console.error(error instanceof UsageError ? error.message : reasonOf(error));
  process.exitCode = error instanceof UsageError ? 2 : 1;
}
