import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { PlacementEngine, type Placement } from './engine.js';
import { allTerms, anyOffers, anyRequests, wholeDevices } from './fleet.fixture.js';
import type { NodeOffer } from './offer.js';
import { Oracle } from './oracle.fixture.js';
import type { TaskRequest } from './request.js';

const weights = { ...allTerms, referencePriceAtto: 10n ** 18n };
const history = fc.array(fc.nat({ max: 5 }), { minLength: 60, maxLength: 60 });

function engineOf(offers: readonly NodeOffer[]): PlacementEngine {
  const engine = new PlacementEngine({ policy: wholeDevices, weights, cacheBits: 8 });
  for (const one of offers) engine.addNode(one);
  return engine;
}

/** Places request after request; sometimes the oldest placement ends first. */
function play(
  engine: PlacementEngine,
  requests: readonly TaskRequest[],
  endings: readonly number[],
  seen: (request: TaskRequest, outcome: Placement | 'NoNodeFits', ended: Placement | undefined) => void,
): void {
  const running: Placement[] = [];
  for (let step = 0; step < endings.length; step++) {
    const ended = endings[step] === 0 ? running.shift() : undefined;
    if (ended) engine.release(ended.hold);
    const one = requests[step % requests.length]!;
    const outcome = engine.place(one);
    if (outcome !== 'NoNodeFits') running.push(outcome);
    seen(one, outcome, ended);
  }
}

test('each decision is one that looking at every node would have taken', () => {
  fc.assert(
    fc.property(anyOffers, anyRequests(8), history, (offers, requests, endings) => {
      const oracle = new Oracle(offers, wholeDevices, weights);
      play(engineOf(offers), requests, endings, (one, outcome, ended) => {
        if (ended) oracle.release(ended.hold);
        const scores = offers.flatMap(node => oracle.scoreOn(node, one) ?? []);
        if (outcome === 'NoNodeFits') return expect(scores).toEqual([]);
        const chosen = offers.find(({ nodeId }) => nodeId === outcome.nodeId)!;
        expect(oracle.scoreOn(chosen, one)).toBeCloseTo(outcome.score, 6);
        expect(outcome.score).toBeCloseTo(Math.max(...scores), 6);
        oracle.take(outcome.hold);
      });
    }),
    { numRuns: 150 },
  );
});

test('a node never hosts more than it has', () => {
  fc.assert(
    fc.property(anyOffers, anyRequests(8), history, (offers, requests, endings) => {
      const oracle = new Oracle(offers, wholeDevices, weights);
      play(engineOf(offers), requests, endings, (_one, outcome, ended) => {
        if (ended) oracle.release(ended.hold);
        if (outcome === 'NoNodeFits') return;
        oracle.take(outcome.hold);
        const { amounts, shares } = oracle.free(offers.find(({ nodeId }) => nodeId === outcome.nodeId)!);
        expect(Math.min(...amounts, ...shares)).toBeGreaterThanOrEqual(0);
      });
    }),
    { numRuns: 150 },
  );
});

test('the same calls give the same answers', () => {
  fc.assert(
    fc.property(anyOffers, anyRequests(8), history, (offers, requests, endings) => {
      const answers = [1, 2].map(() => {
        const outcomes: unknown[] = [];
        play(engineOf(offers), requests, endings, (_one, outcome) => outcomes.push(outcome));
        return outcomes;
      });
      expect(answers[1]).toEqual(answers[0]);
    }),
    { numRuns: 50 },
  );
});
