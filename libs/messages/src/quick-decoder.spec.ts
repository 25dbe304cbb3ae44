import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { Codecs, encode } from './codec.js';
import { catalogue, registry } from './gen/catalogue.js';
import { payloadOf } from './payloads.fixture.js';

const quick = new Codecs(registry, {});
/** A message with an upcast, even one that changes nothing, is never read the quick way. */
const thoroughly = new Codecs(
  registry,
  Object.fromEntries(catalogue.map(({ typeName }) => [typeName, { payload: recorded => recorded }])),
);

const outcomeOf = (codecs: Codecs, typeName: string, bytes: Uint8Array): unknown => {
  try {
    return codecs.decode(typeName, bytes).data;
  } catch (error) {
    return String(error);
  }
};

const recorded = fc
  .constantFrom(...catalogue.map(({ typeName }) => typeName))
  .chain(typeName => fc.record({ typeName: fc.constant(typeName), payload: payloadOf(typeName) }));

test('the quick way reads every message as it was written', () => {
  fc.assert(
    fc.property(recorded, ({ typeName, payload }) => {
      const bytes = encode(typeName, payload);
      expect(outcomeOf(quick, typeName, bytes)).toStrictEqual(payload);
      expect(outcomeOf(thoroughly, typeName, bytes)).toStrictEqual(payload);
    }),
    { numRuns: 500 },
  );
});

test('of damaged bytes it makes what the thorough way makes of them', () => {
  const damage = fc.array(
    fc.record({
      at: fc.nat(),
      byte: fc.nat(255),
      kind: fc.constantFrom('change', 'insert', 'remove', 'cut'),
    }),
    { minLength: 1, maxLength: 3 },
  );
  fc.assert(
    fc.property(recorded, damage, ({ typeName, payload }, damages) => {
      const bytes = [...encode(typeName, payload)];
      for (const { at, byte, kind } of damages) {
        const index = at % (bytes.length + 1);
        if (kind === 'change') bytes[Math.min(index, bytes.length)] = byte;
        if (kind === 'insert') bytes.splice(index, 0, byte);
        if (kind === 'remove') bytes.splice(index, 1);
        if (kind === 'cut') bytes.splice(index);
      }
      const damaged = Uint8Array.from(bytes);
      expect(outcomeOf(quick, typeName, damaged)).toEqual(outcomeOf(thoroughly, typeName, damaged));
    }),
    { numRuns: 3_000 },
  );
});

test('fields of a later version are passed over', () => {
  const cancelled = 'astro.scheduling.v1.JobCancelled';
  const payload = { jobId: 'job_1', tenantId: 'tenant_1', poolId: 'main', tasksSucceeded: 3 };
  const later = [0xf8, 0x07, 0x96, 0x01, 0xfa, 0x07, 0x02, 0x68, 0x69, 0xf9, 0x07, 1, 2, 3, 4, 5, 6, 7, 8];
  const bytes = Uint8Array.from([...later, ...encode(cancelled, payload)]);
  expect(quick.decode(cancelled, bytes).data).toStrictEqual(payload);
});
