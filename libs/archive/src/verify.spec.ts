import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { ArchiveWorld, stream } from './archive.fixture.js';
import { verify, type Verdict } from './verify.js';

let world: ArchiveWorld;

beforeAll(async () => {
  world = await ArchiveWorld.start();
}, 120_000);
beforeEach(async () => {
  await world.renew();
  await world.record(10);
  await world.archiver();
  await world.caughtUp();
  await world.quiet();
});
afterAll(() => world.stop());

/** As the role that may only read. */
const verified = (allowedLagMs = 0): Promise<Verdict> =>
  verify(world.bus, world.archive('gateway'), stream, { allowedLagMs });

const found = async () => (await verified()).findings.map(({ kind, sequence }) => `${kind} ${sequence}`);

test('an archive that is as the stream is has no findings', async () => {
  expect(await verified()).toEqual({
    stream,
    archivedTo: 10,
    streamedTo: 10,
    findings: [],
    isCutShort: false,
  });
});

test.each([
  ['payload', `payload = set_bit(payload, 10, 1 - get_bit(payload, 10))`],
  ['headers', `headers = set_bit(headers, 100, 1 - get_bit(headers, 100))`],
  ['time', `recorded_at = recorded_at # 1`],
  ['subject', `subject = subject || 'x'`],
])('one flipped bit of the archive is found: %s', async (field, change) => {
  await world.tamper(`update registry.archive_events set ${change} where sequence = 4`);
  const { findings } = await verified();
  expect(findings).toMatchObject([{ kind: 'altered', sequence: 4 }]);
  expect(findings[0]!.says).toContain(`differ in ${field}`);
});

test('one flipped bit of a hash is found', async () => {
  await world.tamper(
    'update registry.archive_events set hash = set_bit(hash, 7, 1 - get_bit(hash, 7)) where sequence = 4',
  );
  expect(await found()).toEqual(['altered 4']);
});

test('a deleted row is found', async () => {
  await world.tamper('delete from registry.archive_events where sequence in (5, 6)');
  expect(await found()).toEqual(['deleted 5']);
});

test('a deleted first row is found', async () => {
  await world.tamper('delete from registry.archive_events where sequence = 1');
  expect(await found()).toEqual(['deleted 1']);
});

test.each([
  ['with their hashes', ''],
  ['without their hashes', ', hash = case sequence when 30 then :hash7 else :hash3 end'],
])('rows that changed places are found, %s', async (_name, keep) => {
  const hashOf = async (sequence: number) => {
    const [row] = await world.asAdmin(
      `select encode(hash, 'hex') as hex from registry.archive_events where sequence = ${sequence}`,
    );
    return `decode('${String(row!['hex'])}', 'hex')`;
  };
  const hashes = keep.replace(':hash7', await hashOf(7)).replace(':hash3', await hashOf(3));
  await world.tamper(`
    update registry.archive_events set sequence = sequence * 10 where sequence in (3, 7);
    update registry.archive_events set sequence = case sequence when 30 then 7 else 3 end ${hashes}
     where sequence in (30, 70)`);
  expect(await found()).toEqual(['reordered 3', 'reordered 7']);
});

test('a truncated archive is found by its head', async () => {
  await world.tamper('delete from registry.archive_events where sequence > 8');
  expect(await found()).toEqual(['truncated 9']);
});

test('a truncated archive is found by the stream when its head was moved back as well', async () => {
  await world.tamper(`
    delete from registry.archive_events where sequence > 8;
    update registry.archive_heads set sequence = 8,
      hash = (select hash from registry.archive_events where sequence = 8)`);
  expect(await found()).toEqual(['truncated 9']);
  // What was recorded a moment ago may still be on its way into the archive.
  expect((await verified(60_000)).findings).toEqual([]);
});

test('a row that nobody appended is found', async () => {
  await world.tamper(`
    insert into registry.archive_events
    select stream, 11, subject, headers, payload, recorded_at, hash from registry.archive_events where sequence = 10`);
  await world.record(1);
  expect(await found()).toEqual(['extra 11']);
});

test('a head that is not the last hash is found', async () => {
  await world.tamper(`update registry.archive_heads set hash = sha256('other')`);
  expect(await found()).toEqual(['head altered 10']);
});

test('an event that is missing from the stream is found', async () => {
  await world.replaceStream((await world.messages()).filter(({ sequence }) => sequence !== 6));
  expect(await found()).toEqual(['missing from stream 6']);
});

test('an event that was altered in the stream is found', async () => {
  const messages = await world.messages();
  await world.replaceStream(
    messages.map(message =>
      message.sequence === 6 ? { ...message, payload: Buffer.from('something else') } : message,
    ),
  );
  expect(await found()).toEqual(['stream altered 6']);
});

test('a truncated stream is found', async () => {
  await world.replaceStream((await world.messages()).slice(0, 7));
  expect(await found()).toEqual(['stream truncated 8']);
});

test('a lost stream is found', async () => {
  await world.bus.jsm.streams.delete(stream);
  expect(await found()).toEqual(['stream truncated 1']);
});

test('an archive rewritten from one event on, hashes and head included, is found by the stream', async () => {
  await world.rewriteArchiveFrom(6);
  expect(await found()).toEqual(['stream altered 6']);
});
