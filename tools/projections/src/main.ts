import { connectBus, homeIn, readConnection } from '@astro/admin/connection';
import type { Difference } from '@astro/postgres/comparison';
import { list, rebuild, verify, type Platform, type Progress } from './projections.js';
import { readRequest, UsageError, type Request } from './request.js';

/** `npm run projection`: looks at, rebuilds or verifies the read models of the platform that runs. */
async function main(args: readonly string[]): Promise<number> {
  const request = readRequest(args);
  const connection = readConnection(homeIn(process.env));
  const { databaseUrls = {} } = connection;
  const bus = await connectBus(connection, 'projection');
  try {
    return await perform(request, { bus, databaseUrlOf: context => urlOf(databaseUrls, context) });
  } finally {
    await bus.close();
  }
}

function urlOf(urls: Readonly<Record<string, string>>, context: string): string {
  const url = urls[context];
  if (url === undefined)
    throw new Error(`The platform that runs does not say where ${context} has its tables.`);
  return url;
}

async function perform(request: Request, platform: Platform): Promise<number> {
  switch (request.kind) {
    case 'list':
      console.table(await list(platform));
      return 0;
    case 'rebuild': {
      const startedAt = Date.now();
      await rebuild(platform, request.readModel, showProgress);
      console.log(`${request.readModel.projection.name} was rebuilt in ${seconds(startedAt)} and serves`);
      return 0;
    }
    case 'verify': {
      const { name } = request.readModel.projection;
      const { position, differences } = await verify(platform, request.readModel, showProgress);
      if (differences.length === 0) {
        console.log(`${name} holds what the stream says, up to position ${position}`);
        return 0;
      }
      console.log(`${name} does not hold what the stream says, up to position ${position}:`);
      for (const difference of differences) console.log(`  ${inWords(difference)}`);
      return 1;
    }
  }
}

function inWords({ table, key, kind, columns }: Difference): string {
  const row = `${table} ${JSON.stringify(key)}`;
  switch (kind) {
    case 'missing':
      return `${row} is missing`;
    case 'unfounded':
      return `${row} should not be there`;
    case 'different':
      return `${row} differs in ${columns.join(', ')}`;
  }
}

const seconds = (startedAt: number): string => `${((Date.now() - startedAt) / 1_000).toFixed(1)} s`;

const progressIntervalMs = 500;
let nextProgressAt = 0;

const showProgress: Progress = ({ events, position, of }) => {
  if (Date.now() < nextProgressAt && position < of) return;
  nextProgressAt = Date.now() + progressIntervalMs;
  const percent = of === 0 ? 100 : Math.min(100, Math.floor((100 * position) / of));
  console.error(`${String(percent).padStart(3)} %  position ${position} of ${of}, ${events} events`);
};

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = error instanceof UsageError ? 2 : 1;
}
