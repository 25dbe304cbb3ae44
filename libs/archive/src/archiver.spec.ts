import { ensureStreams } from '@astro/jetstream/streams';
import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { ArchiveWorld, stream, until } from './archive.fixture.js';
import { GapInStream, StaleHead } from './archive.js';
import { genesisOf, linkOf } from './chain.js';

let world: ArchiveWorld;

beforeAll(async () => {
  world = await ArchiveWorld.start();
}, 120_000);
beforeEach(() => world.renew());
afterAll(() => world.stop());

/** Every row, with what the chain says its hash should be. */
async function rowsOfArchive() {
  const rows = await world.archive().read(stream, 0);
  let previous = genesisOf(stream);
  return rows.map(row => {
    previous = linkOf(previous, row);
    return { ...row, expectedHash: previous };
  });
}

async function expectWholeChain(count: number): Promise<void> {
  const rows = await rowsOfArchive();
  expect(rows.map(row => row.sequence)).toEqual(Array.from({ length: count }, (_, index) => index + 1));
  for (const row of rows) expect(row.hash).toEqual(row.expectedHash);
  expect(await world.archive().head(stream)).toEqual({ sequence: count, hash: rows.at(-1)?.hash });
}

test('every event is archived as the stream holds it, while more are appended', async () => {
  await world.record(5);
  await world.archiver();
  await Promise.all([world.record(20), world.record(31)]);
  await world.caughtUp();

  const rows = await world.archive().read(stream, 0);
  expect(rows).toMatchObject(await world.messages());
  expect(Buffer.from(rows[0]!.headers).toString()).toMatch(/^NATS\/1\.0\r\nNats-Msg-Id: evt_.*\r\n\r\n$/s);
  await expectWholeChain(56);
});

test('an archiver goes on where the last one ended', async () => {
  await world.archiver();
  await world.record(4);
  await world.caughtUp();
  await world.quiet();
  await world.record(3);
  await world.archiver();
  await world.caughtUp();
  await expectWholeChain(7);
});

test('the archive follows over a restart of the NATS server', async () => {
  await world.archiver();
  await world.record(4);
  await world.caughtUp();
  await world.restartNats();
  await world.record(4);
  await world.caughtUp();
  await expectWholeChain(8);
});

test('two archivers at once never fork the chain', async () => {
  const [one, two] = [await world.archiver(), await world.archiver()];
  for (let round = 0; round < 5; round++) await Promise.all([world.record(9), world.record(11)]);
  await world.caughtUp();
  await expectWholeChain(100);
  await until(() => one.healthy && two.healthy);
});

test('only what follows the head is written', async () => {
  await world.record(3);
  const [first, second, third] = await world.messages();
  const archive = world.archive();
  await archive.prepare();
  const start = await archive.head(stream);
  await expect(archive.append(stream, start, [first!, third!])).rejects.toThrow(GapInStream);
  expect(await archive.read(stream, 0)).toEqual([]);

  const head = await archive.append(stream, start, [first!]);
  await expect(archive.append(stream, start, [first!])).rejects.toThrow(StaleHead);
  await archive.append(stream, head, [second!]);
  await expectWholeChain(2);
});

test('a row can be neither changed nor removed', async () => {
  await world.record(2);
  await world.archiver();
  await world.caughtUp();
  for (const change of [
    `update registry.archive_events set subject = 'x'`,
    'delete from registry.archive_events',
  ]) {
    await expect(world.asAdmin(change, world.url())).rejects.toThrow('the archive is append-only');
  }
});

test('a stream made anew under a running archiver is not chained to the old one', async () => {
  const archiver = await world.archiver();
  await world.record(3);
  await world.caughtUp();
  await world.bus.jsm.streams.delete(stream);
  await ensureStreams(world.bus);
  await world.record(5);
  await until(() => !archiver.healthy);
  await expectWholeChain(3);
});
