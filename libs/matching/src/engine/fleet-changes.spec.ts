import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { PlacementEngine, type Placement } from './engine.js';
import {
  allTerms,
  anyOffers,
  anyRequests,
  devices,
  needs,
  offer,
  request,
  wholeDevices,
} from './fleet.fixture.js';
import type { NodeOffer } from './offer.js';
import { Oracle } from './oracle.fixture.js';
import { Random } from './random.js';

const weights = { ...allTerms, referencePriceAtto: 10n ** 18n };
const engineOf = (offers: readonly NodeOffer[]): PlacementEngine => {
  const engine = new PlacementEngine({ policy: wholeDevices, weights });
  for (const one of offers) engine.addNode(one);
  return engine;
};

/** What may happen to the node of a number, before the next decision. */
const anyStep = fc.record({
  change: fc.constantFrom('none', 'none', 'describe', 'remove', 'add'),
  node: fc.nat({ max: 39 }),
  region: fc.constantFrom('eu', 'us', 'mars'),
  runtimes: fc.subarray(['wasm', 'oci']),
  reliability: fc.constantFrom(0.9, 1),
  pricePerDeviceSecondAtto: fc.bigInt({ min: 1n, max: 4n }).map(price => price * 10n ** 18n),
});

test('what a class of requests may use follows the nodes that come, go and are described anew', () => {
  const steps = fc.array(anyStep, { minLength: 60, maxLength: 60 });
  fc.assert(
    fc.property(anyOffers, anyRequests(4), steps, (all, requests, history) => {
      const present = [...all];
      const oracle = new Oracle(present, wholeDevices, weights);
      const engine = engineOf(all);
      let running: Placement[] = [];
      for (const [index, { change, node, ...fields }] of history.entries()) {
        const known = all[node % all.length]!;
        const at = present.findIndex(({ nodeId }) => nodeId === known.nodeId);
        if (at >= 0 && change === 'describe') {
          present[at] = { ...present[at]!, ...fields };
          expect(engine.updateNode(present[at])).toBe('updated');
        } else if (at >= 0 && change === 'remove') {
          engine.removeNode(known.nodeId);
          present.splice(at, 1);
          for (const { hold, nodeId } of running) if (nodeId === known.nodeId) oracle.release(hold);
          running = running.filter(({ nodeId }) => nodeId !== known.nodeId);
        } else if (at < 0 && change === 'add') {
          engine.addNode(known);
          present.push(known);
        }
        const wanted = requests[index % requests.length]!;
        const scores = present.flatMap(one => oracle.scoreOn(one, wanted) ?? []);
        const outcome = engine.place(wanted);
        if (outcome === 'NoNodeFits') {
          expect(scores).toEqual([]);
          continue;
        }
        expect(outcome.score).toBeCloseTo(Math.max(...scores), 6);
        oracle.take(outcome.hold);
        running.push(outcome);
      }
    }),
    { numRuns: 100 },
  );
});

test('a demand that was not asked for while much changed is placed as if all had been there from the start', () => {
  const offers = Array.from({ length: 600 }, (_, index) =>
    offer(`n${index}`, { reliability: 1 - (index % 7) / 100 }),
  );
  const engine = engineOf(offers);
  const [rare, common] = [request('rare', needs({ cpuMillis: 700 })), request('common')];
  const random = new Random(1);
  engine.place(rare);
  const running: Placement[] = [];
  // Over the thousand changes that the log has room for at first, and fewer than are worth scoring all nodes anew.
  for (let step = 0; step < 2_000; step++) {
    const ended = running.length > 500 ? running.splice(random.below(running.length), 1)[0] : undefined;
    if (ended) engine.release(ended.hold);
    const placed = engine.place(common);
    if (placed !== 'NoNodeFits') running.push(placed);
  }
  const fresh = engineOf(offers);
  const first = fresh.place(rare);
  for (const { hold } of running) fresh.take(hold);
  expect(first).not.toBe('NoNodeFits');
  const answers = [engine, fresh].map(one => Array.from({ length: 400 }, () => one.place(rare)));
  expect(answers[0]).toEqual(answers[1]);
});

test('a node with more devices than a log entry holds is scored from what the fleet knows of it', () => {
  const twenty = offer('large', { devices: Array.from({ length: 20 }, () => offer('x').devices[0]!) });
  const engine = engineOf([twenty]);
  const one = request('one', needs({ cpuMillis: 0, memoryMib: 0, devices: devices({ count: 19 }) }));
  const small = request('small', needs({ cpuMillis: 0, memoryMib: 0, devices: devices({ count: 1 }) }));
  const placed = engine.place(one);
  expect(engine.place(small)).toMatchObject({ nodeId: 'large' });
  expect(engine.place(small)).toBe('NoNodeFits');
  if (placed !== 'NoNodeFits') engine.release(placed.hold);
  expect(engine.place(one)).toMatchObject({ nodeId: 'large' });
});

test('a hold of devices that the node does not have is refused, and leaves the node as it was', () => {
  const engine = engineOf([offer('without', { devices: [] }), offer('with')]);
  // Whatever other nodes have free of theirs.
  const placed = engine.place(request('part', needs({ devices: devices({ shareThousandths: 250 }) })));
  if (placed === 'NoNodeFits') throw new Error('an idle node hosts it');
  expect([placed.nodeId, placed.hold.cpuMillis > 0]).toEqual(['with', true]);
  const slot = engine.fleet.slotOf('without')!;
  const free = () => engine.fleet.columns.freeCpuMillis[slot];
  const before = free();
  const elsewhere = { ...placed.hold, nodeId: 'without' };
  expect(() => engine.take(elsewhere)).toThrow('less free');
  expect(() => engine.release(elsewhere)).toThrow('holds less');
  expect(free()).toBe(before);
});
