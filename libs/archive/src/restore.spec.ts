import { EventStore } from '@astro/jetstream/event-store';
import { readStored } from '@astro/jetstream/stored-messages';
import { ensureStreams } from '@astro/jetstream/streams';
import { boundsOf } from '@astro/jetstream/stream-restore';
import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { ArchiveWorld, metadata, stream } from './archive.fixture.js';
import { fingerprintOf } from './chain.js';
import { NotRestored, restore } from './restore.js';
import { verify } from './verify.js';

let world: ArchiveWorld;

beforeAll(async () => {
  world = await ArchiveWorld.start();
}, 120_000);
beforeEach(() => world.renew());
afterAll(() => world.stop());

async function archived(count: number) {
  const tenant = await world.record(count);
  await world.archiver();
  await world.caughtUp();
  await world.quiet();
  return tenant;
}

test('a lost stream comes back byte for byte, with its sequences and times', async () => {
  const tenant = await archived(7);
  const store = new EventStore(world.bus);
  const [before, loaded] = [await world.messages(), await store.load(tenant)];
  await world.bus.jsm.streams.delete(stream);

  const archive = world.archive();
  expect(await restore(world.bus, archive, stream)).toEqual({
    messages: 7,
    firstSequence: 1,
    lastSequence: 7,
  });

  expect(await world.messages()).toEqual(before);
  expect(await store.load(tenant)).toEqual(loaded);
  expect((await verify(world.bus, archive, stream, { allowedLagMs: 0 })).findings).toEqual([]);
});

test('a restored stream outlives a restart of the server, and goes on where it ended', async () => {
  // More than one of the server's files, in which every record has a checksum of its own.
  const large = 'x'.repeat(1_024 * 1_024);
  const tenant = await world.record(1);
  for (let index = 0; index < 9; index++) await world.recordNamed(`${large} ${index}`);
  await world.archiver();
  await world.caughtUp();
  await world.quiet();
  const before = await fingerprints();
  const { config } = await world.bus.jsm.streams.info(stream);
  await world.bus.jsm.streams.delete(stream);
  await restore(world.bus, world.archive(), stream);

  await world.restartNats();

  expect(await fingerprints()).toEqual(before);
  const info = await world.bus.jsm.streams.info(stream);
  expect(info.config).toEqual(config);
  expect(info.state).toMatchObject({ messages: 10, first_seq: 1, last_seq: 10 });
  const store = new EventStore(world.bus);
  const { position } = await store.append(
    tenant,
    [{ type: 'TenantRegistered', data: { tenantId: tenant.id, name: 'again' } }],
    { expectedPosition: 1, commandId: 'cmd-after', metadata },
  );
  expect(position).toBe(11);
});

test('an empty stream is restored, and one that is whole is left alone', async () => {
  await archived(3);
  await world.bus.jsm.streams.delete(stream);
  await ensureStreams(world.bus);
  const archive = world.archive();
  await restore(world.bus, archive, stream);
  const { created } = await world.bus.jsm.streams.info(stream);

  expect(await restore(world.bus, archive, stream)).toMatchObject({ lastSequence: 3 });
  expect((await world.bus.jsm.streams.info(stream)).created).toBe(created);
});

test('a stream that holds anything else is not touched', async () => {
  await archived(3);
  await world.bus.jsm.streams.delete(stream);
  await ensureStreams(world.bus);
  await world.record(1);
  const held = await world.messages();

  await expect(restore(world.bus, world.archive(), stream)).rejects.toThrow(NotRestored);
  expect(await world.messages()).toEqual(held);
});

test('a broken archive restores nothing, and the stream stays as it was', async () => {
  await archived(4);
  await world.bus.jsm.streams.delete(stream);
  await world.tamper(`update registry.archive_events set payload = payload || '\\x00' where sequence = 3`);

  await expect(restore(world.bus, world.archive(), stream)).rejects.toThrow(/could not be restored/);
  expect(await boundsOf(world.bus, stream)).toMatchObject({ messages: 0 });
  await world.tamper(
    `update registry.archive_events set payload = substr(payload, 1, length(payload) - 1) where sequence = 3`,
  );
  expect(await restore(world.bus, world.archive(), stream)).toMatchObject({ messages: 4 });
});

test('nothing is restored from an archive that never held the stream', async () => {
  const archive = world.archive();
  await archive.prepare();
  await expect(restore(world.bus, archive, stream)).rejects.toThrow(/holds nothing/);
});

async function fingerprints(): Promise<readonly string[]> {
  const found: string[] = [];
  for (let after = 0; ;) {
    const page = await readStored(world.bus, stream, after);
    if (page.length === 0) return found;
    found.push(...page.map(message => `${message.sequence} ${fingerprintOf(message)}`));
    after = page.at(-1)!.sequence;
  }
}
