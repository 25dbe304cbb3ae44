import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { Codecs, decode } from './codec.js';
import { growCorpus, messagesOf, readCorpus, schemaIn, toJson, type RecordedExample } from './corpus.js';
import type { Upcasts } from './upcasts.js';

const root = join(import.meta.dirname, '../../..');
const testdata = join(root, 'libs/messages/testdata');
const corpus = readCorpus(testdata);
const released = schemaIn(readFileSync(join(root, 'proto/released.binpb')));

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'astro-corpus-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test.each(corpus.map(example => [example.version, example.typeName, example] as const))(
  'what version %i recorded as %s is still read',
  (_version, typeName, { bytes, says }) =>
    expect(toJson(decode(typeName, bytes))).toMatchObject(says as object),
);

test('the corpus holds every shape of the released schema', () => {
  const copy = join(folder, 'complete');
  cpSync(testdata, copy, { recursive: true });
  expect(growCorpus(copy, released)).toEqual([]);
  expect(messagesOf(released).length).toBeGreaterThan(80);
});

const jobEvents = 'astro/scheduling/v1/job_events.proto';
const submitted = 'astro.scheduling.v1.JobSubmitted';
const cancelled = 'astro.scheduling.v1.JobCancelled';
const withdrawn = 'astro.scheduling.v1.JobWithdrawn';

describe('of a later version', () => {
  test('that adds a value to an enumeration, everything is read', () => {
    const later = laterSchema('astro/registry/v1/offer.proto', text =>
      text.replace(/(enum DeviceKind \{[^}]*)\}/, '$1  DEVICE_KIND_QUANTUM = 99;\n}'),
    );
    expect(unreadable(later)).toEqual([]);
  });

  describe('that adds a message that must be there,', () => {
    const withRefund = () =>
      laterSchema(jobEvents, text =>
        text
          .replace('string max_cost_atto = 5;', 'string max_cost_atto = 5;\n  Refund refund = 99;')
          .concat('\nmessage Refund {\n  string amount_atto = 1;\n}\n'),
      );

    test('older events cannot be read, and the field is named', () =>
      expect(new Set(unreadable(withRefund()))).toEqual(new Set([`${submitted}.refund is missing`])));

    test('they can with an upcast that fills it in', () => {
      const upcasts: Upcasts = {
        [submitted]: { payload: recorded => ({ refund: { amountAtto: 0n }, ...recorded }) },
      };
      expect(unreadable(withRefund(), upcasts)).toEqual([]);
      const codecs = new Codecs(withRefund(), upcasts);
      expect(codecs.decode(submitted, recordedAs(submitted).bytes).data).toMatchObject({
        jobId: 'job_id',
        refund: { amountAtto: 0n },
      });
      const today = {
        ...(codecs.decode(submitted, recordedAs(submitted).bytes).data as object),
        refund: { amountAtto: 7n },
      };
      expect(codecs.decode(submitted, codecs.encode(submitted, today)).data).toEqual(today);
    });

    test('the corpus grows by the new shape alone', () => {
      const copy = join(folder, 'grown');
      const newest = Math.max(...readCorpus(testdata).map(({ version }) => version));
      cpSync(testdata, copy, { recursive: true });
      expect(growCorpus(copy, withRefund())).toEqual([submitted, 'astro.scheduling.v1.Refund']);
      const recorded = readCorpus(copy).filter(({ typeName }) => typeName === submitted);
      const before = readCorpus(testdata).filter(({ typeName }) => typeName === submitted);
      expect(recorded.map(({ version }) => version)).toEqual([
        ...before.map(({ version }) => version),
        newest + 1,
      ]);
    });
  });

  describe('that renames an event,', () => {
    const renamed = () =>
      laterSchema(jobEvents, text => {
        const older = /message JobCancelled (\{[^}]*\})/.exec(text)!;
        const newer = older[1]!.replace(/\}$/, '  Withdrawal withdrawal = 9;\n}');
        return `${text}\nmessage Withdrawal {\n  string why = 1;\n}\n\nmessage JobWithdrawn ${newer}\n`;
      });

    test('the upcast gives the old one its new name and all of its fields', () => {
      const codecs = new Codecs(renamed(), {
        [cancelled]: { becomes: withdrawn, payload: recorded => ({ ...recorded, withdrawal: { why: '' } }) },
      });
      expect(codecs.decode(cancelled, recordedAs(cancelled).bytes)).toEqual({
        typeName: withdrawn,
        data: { ...(recordedAs(cancelled).says as object), withdrawal: { why: '' } },
      });
    });

    test('an upcast that leaves out what the new one must have is refused', () => {
      const upcasts: Upcasts = { [cancelled]: { becomes: withdrawn, payload: recorded => recorded } };
      // As often as there are recorded shapes of it.
      expect(new Set(unreadable(renamed(), upcasts))).toEqual(
        new Set([`${cancelled}.withdrawal is missing`]),
      );
    });
  });

  test('that takes a value of an enumeration away, what was recorded with it is found', () => {
    const later = laterSchema('astro/registry/v1/offer.proto', text =>
      text.replace(/\n\s*DEVICE_KIND_FPGA[^\n]*/, ''),
    );
    expect(unreadable(later)).toContain(
      'astro.registry.v1.NodeEnrolled.offer.inventory.devices[0].kind has the unknown value 4',
    );
  });
});

const recordedAs = (typeName: string): RecordedExample =>
  corpus.find(example => example.typeName === typeName)!;

/** Why each example of the corpus that a version cannot read, or reads as something else, is none of its own. */
function unreadable(schema: typeof released, upcasts: Upcasts = {}): readonly string[] {
  const codecs = new Codecs(schema, upcasts);
  return corpus.flatMap(({ typeName, bytes, says }) => {
    try {
      expect(toJson(codecs.decode(typeName, bytes).data)).toMatchObject(says as object);
      return [];
    } catch (error) {
      return [(error as Error).message];
    }
  });
}

/** The schema in proto/ with one file changed, compiled by the real compiler. */
function laterSchema(file: string, change: (text: string) => string): typeof released {
  const proto = mkdtempSync(join(folder, 'proto-'));
  cpSync(join(root, 'proto'), proto, { recursive: true });
  const before = readFileSync(join(proto, file), 'utf8');
  const after = change(before);
  if (after === before) throw new Error(`${file} has nothing to change in that way`);
  writeFileSync(join(proto, file), after);
  const command = [join(root, 'node_modules/@bufbuild/buf/bin/buf'), 'build', '-o', 'later.binpb'];
  const { status, stderr } = spawnSync(process.execPath, command, { cwd: proto, encoding: 'utf8' });
  if (status !== 0) throw new Error(stderr);
  return schemaIn(readFileSync(join(proto, 'later.binpb')));
}
