import { execFile } from 'node:child_process';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bundleOf, bundleSchema, type Bundle } from '@astro/archive/evidence/bundle';
import { citedIn, citationOf } from '@astro/archive/cited-event';
import { leafOf } from '@astro/archive/invoice/charges';
import { envelopeLines } from '@astro/jetstream/headers';
import type { StoredMessage } from '@astro/jetstream/stored-messages';
import { eventSubject } from '@astro/jetstream/subjects';
import { encode, typeNameOf } from '@astro/messages/codec';
import { cidOf } from '@astro/messages/content-id';
import { resultDigest } from '@astro/messages/result-digest';
import type { Recorded } from '@astro/event-sourcing/recorded';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import {
  recordedAs,
  specOf,
  submittedAs,
  votesOf,
  type Vote,
} from '../../../../services/verification/src/evidence/refuted-task.fixture.js';
import { stateFault } from '@astro/verification/evidence/statement';
import { checkBundle } from './bundle-flaws.js';
import { flawsByRunning } from './run-again.js';

const entry = join(import.meta.dirname, '../../dist/main.js');
const primes = join(import.meta.dirname, '../../../../examples/primes/build/primes.wasm');

/** The program counts the primes below 100, of which there are 25. */
const counting = (operator: string, count: number): Vote => {
  const bytes = Buffer.from(`${count}\n`);
  const outputs = [{ name: 'count', cid: cidOf(bytes), sizeBytes: bytes.length }];
  return { operator, fault: 'none', digest: resultDigest('none', outputs), outputs };
};

let dir: string;
let programCid: string;
let bundle: Bundle;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'astro-evidence-'));
  programCid = cidOf(await readFile(primes));
  await cp(primes, join(dir, programCid));
  bundle = bundleAgainst('b', [counting('a', 25), counting('b', 24), counting('c', 25)]);
});

afterAll(() => rm(dir, { recursive: true, force: true }));

function bundleAgainst(operator: string, votes: readonly Vote[]): Bundle {
  const events = recordedAs(submittedAs(specOf({ programCid })), votesOf(votes));
  const { statement } = stateFault({ kind: 'refuted_result', leaseId: `lease_${operator}` }, events);
  if (!statement) throw new Error('the votes are no evidence');
  return bundleOf(statement, events.map(storedAs));
}

function storedAs({ id, aggregate, event, position, recordedAt, metadata }: Recorded): StoredMessage {
  const typeName = typeNameOf('event', aggregate.type, event.type);
  const [source = ''] = aggregate.type.split('.');
  const lines = envelopeLines({ id, typeName, source, subject: aggregate.id, metadata });
  return {
    sequence: position,
    subject: eventSubject(aggregate, event.type),
    headers: Buffer.from(`NATS/1.0\r\n${lines}\r\n`),
    payload: encode(typeName, event.data),
    recordedAtNanos: BigInt(recordedAt.getTime()) * 1_000_000n,
  };
}

/** The bundle with one event changed and, as a forger would, its hash made to fit. */
function withEvent(index: number, change: (event: StoredMessage) => StoredMessage): Bundle {
  const events = bundle.events.map((cited, at) => {
    if (at !== index) return cited;
    const changed = change(citedIn(cited));
    return { ...cited, ...citationOf(changed), hash: leafOf(changed).toString('hex') };
  });
  return { ...bundle, events };
}

const saying = (change: object): Bundle => ({ ...bundle, statement: { ...bundle.statement, ...change } });
const flawsOf = (of: Bundle): string => checkBundle(of).flaws.join('\n');

const replacingInPayload = (from: string, to: string) => (event: StoredMessage) => ({
  ...event,
  payload: Buffer.from(Buffer.from(event.payload).toString('latin1').replaceAll(from, to), 'latin1'),
});

describe('a bundle', () => {
  test('that follows from its events is sound, however its JSON is written', () => {
    const { flaws, hash } = checkBundle(bundle);
    expect(flaws).toEqual([]);
    const { events, statement, format } = bundle;
    const rewritten = JSON.parse(JSON.stringify({ statement, format, events }, null, 3)) as Bundle;
    expect(checkBundle(rewritten, hash).flaws).toEqual([]);
    expect(bundleSchema.parse(rewritten)).toEqual(bundle);
  });

  const forgeries: readonly (readonly [string, () => Bundle, RegExp])[] = [
    ['another byte of an event', () => flipped(), /^events\[2\]\.hash: is [0-9a-f]{64}, the bytes have/],
    ['another sequence', () => moved(), /^events\[2\]\.hash/],
    ['another time', () => late(), /^events\[1\]\.hash/],
    ['another stream', () => streamed(), /^events\[0\]\.stream: is EVT_BILLING/],
    [
      'bytes that are no event',
      () => withEvent(1, event => ({ ...event, payload: Buffer.from('?') })),
      /payload/,
    ],
    [
      'a vote that is made fit again',
      () => withEvent(1, replacingInPayload(counting('a', 25).digest, '0'.repeat(64))),
      /^events\[3\]: is ResultVerified, the rules decide ResultsDisagreed/m,
    ],
    [
      'a verdict that is made fit again',
      () => withEvent(3, replacingInPayload('quorum/1', 'quorum/9')),
      /^events\[3\]: policy: is not what the rules decide/m,
    ],
    [
      'a threshold',
      () =>
        saying({
          basis: { ...(bundle.statement['basis'] as object), thresholds: [{ name: 'quorum', value: 1 }] },
        }),
      /^statement\.basis\.thresholds\[0\]\.value: is 1, the events say 2$/,
    ],
    [
      'the fraction',
      () => saying({ fractionBps: 5_000 }),
      /^statement\.fractionBps: is 5000, the events say 500$/,
    ],
    ['the rules', () => saying({ rules: 'faults/0' }), /^statement\.rules/],
    ['the program', () => saying({ program: { cid: 'other' } }), /^statement\.program\.cid/m],
    ['the kind', () => saying({ kind: 'rudeness' }), /^statement\.kind: rudeness is no kind of fault$/],
    ['the digest', () => redigested(), /^statement\.refuted\[0\]\.digest: is "0+", the events say/],
    [
      'the accused',
      () => saying({ accused: { leaseId: 'lease_a' } }),
      /^leaseId: lease_a has no refuted_result by the last event$/,
    ],
    [
      'a claim beside',
      () => saying({ isProven: true }),
      /^statement\.isProven: is true, the events say nothing$/,
    ],
  ];
  const changed = (index: number, change: Partial<Bundle['events'][number]>): Bundle => ({
    ...bundle,
    events: bundle.events.map((event, at) => (at === index ? { ...event, ...change } : event)),
  });
  const flipped = () => {
    const payload = Buffer.from(bundle.events[2]!.payload, 'base64');
    payload[payload.length - 1]! ^= 1;
    return changed(2, { payload: payload.toString('base64') });
  };
  const moved = () => changed(2, { position: 7 });
  const late = () => changed(1, { recordedAtNanos: '1' });
  const streamed = () => changed(0, { stream: 'EVT_BILLING' });
  const redigested = () => {
    const [refuted] = bundle.statement['refuted'] as readonly object[];
    return saying({ refuted: [{ ...refuted, digest: '0'.repeat(64) }] });
  };

  test.each(forgeries)('is refused with %s', (_what, forge, flaw) => expect(flawsOf(forge())).toMatch(flaw));

  test('is refused when its hash is not the one that is trusted', () =>
    expect(checkBundle(bundle, `0x${'1'.repeat(64)}`).flaws).toEqual([
      expect.stringMatching(/^hash: is 0x[0-9a-f]{64}, and 0x1{64} is trusted$/),
    ]));
});

describe('the program of a bundle, run again,', () => {
  const run = (of: Bundle) => flawsByRunning(checkBundle(of).statement!, dir);

  test('gives what was believed', async () => expect(await run(bundle)).toEqual([]));

  test('gives what the accused said, where those who agreed have lied', async () => {
    const outvoted = bundleAgainst('b', [counting('a', 24), counting('b', 25), counting('c', 24)]);
    expect(checkBundle(outvoted).flaws).toEqual([]);
    expect(await run(outvoted)).toEqual([
      'statement.accused: the program gives what the accused said',
      expect.stringMatching(/^statement\.agreed: the program gives another result/),
    ]);
  });

  test('is not run where only the nodes of its job can read it', async () => {
    const { statement } = checkBundle(bundle);
    const agreed = statement!.agreed.map(claim => ({ ...claim, isEncrypted: true }));
    expect(await flawsByRunning({ ...statement!, agreed }, dir)).toEqual([
      expect.stringMatching(/^statement\.agreed: is of an encrypted job/),
    ]);
  });

  test('is not run when its bytes are others', async () => {
    await writeFile(join(dir, programCid), 'others');
    await expect(run(bundle)).rejects.toThrow(programCid);
    await cp(primes, join(dir, programCid));
  });
});

test('astro verify evidence tells by its exit code what it found', async () => {
  const [sound, forged] = [join(dir, 'sound.json'), join(dir, 'forged.json')];
  await writeFile(sound, JSON.stringify(bundle));
  await writeFile(forged, JSON.stringify(saying({ fractionBps: 5_000 })));
  const [agreed, refused, absent] = await Promise.all([
    astro(sound, '--re-run', '--content', dir, '--json'),
    astro(forged, '--json'),
    astro(sound, '--re-run', '--content', tmpdir()),
  ]);
  const { hash } = checkBundle(bundle);
  expect(JSON.parse(agreed.output)).toEqual({ isSound: true, hash, wasRunAgain: true, flaws: [] });
  expect(JSON.parse(refused.output)).toMatchObject({
    isSound: false,
    flaws: [expect.stringMatching(/5000/)],
  });
  expect([agreed.code, refused.code, absent.code]).toEqual([0, 1, 4]);
});

const astro = (...args: readonly string[]): Promise<{ readonly code: number; readonly output: string }> =>
  new Promise(resolve =>
    execFile(process.execPath, [entry, 'verify', 'evidence', ...args], (error, output) =>
      resolve({ code: Number(error?.code ?? 0), output }),
    ),
  );
