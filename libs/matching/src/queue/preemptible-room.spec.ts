import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { PlacementEngine } from '../engine/engine.js';
import { anyOffers, anyRequests, needs, offer, request, wholeDevices } from '../engine/fleet.fixture.js';
import { placeGang } from '../engine/gang.js';
import type { Hold } from '../engine/hold.js';
import type { TaskRequest } from '../engine/request.js';
import { policyAlone } from '../engine/weights.js';
import { PreemptibleRoom } from './preemptible-room.js';

type Lease = { readonly leaseId: string; readonly hold: Hold; readonly lostWork: number };

const engineOf = () => new PlacementEngine({ policy: wholeDevices, weights: policyAlone });

function marketOf() {
  const engine = engineOf();
  const room = new PreemptibleRoom<Lease>(engine, engineOf());
  const running = new Map<string, Lease>();
  const grant = (one: TaskRequest, isInterruptible: boolean, lostWork = 1) => {
    const placed = engine.place(one);
    if (placed === 'NoNodeFits') return undefined;
    const lease = { leaseId: one.taskId, hold: placed.hold, lostWork };
    running.set(lease.leaseId, lease);
    room.granted(lease, isInterruptible);
    return lease;
  };
  const plan = (one: TaskRequest) =>
    room.plan({ request: one, lostWork: lease => lease.lostWork, nowMs: 5, noticeMs: 10, leasesMax: 64 });
  return { engine, room, running, grant, plan };
}

test('the node where the least work is lost makes room, wherever the cheapest leases are', () => {
  const { room, grant, plan } = marketOf();
  for (const nodeId of ['a', 'b']) room.addNode(offer(nodeId));
  const half = needs({ cpuMillis: 4_000, memoryMib: 0 });
  for (const [index, lostWork] of [1, 30, 90, 30].entries()) {
    // The first and the third share a node, and so do the others.
    grant(request(`t${index}`, half), true, lostWork);
  }
  const whole = request('whole', needs({ cpuMillis: 8_000, memoryMib: 0, devices: undefined }));
  expect(plan(whole)).toMatchObject({ leaseIds: ['t1', 't3'], lostWork: 60, stopAtMs: 15 });
});

test('who may not be interrupted is never stopped, and where none may nobody is', () => {
  const { room, grant, plan } = marketOf();
  room.addNode(offer('a'));
  const all = needs({ cpuMillis: 8_000, memoryMib: 0, devices: undefined });
  const kept = grant(request('kept', all), false);
  expect(plan(request('wants', all))).toBeUndefined();
  room.ended(kept!);
  grant(request('yields', all), true);
  expect(plan(request('wants', all))?.leaseIds).toEqual(['yields']);
});

test('a plan makes room for the task, nobody of it stops in vain, and without one nobody could make any', () => {
  fc.assert(
    fc.property(
      anyOffers,
      anyRequests(8),
      fc.array(fc.nat({ max: 9 }), { minLength: 30 }),
      (all, wanted, draws) => {
        const { engine, room, running, grant, plan } = marketOf();
        const interruptible = new Set<string>();
        for (const one of all) room.addNode(one);
        for (const [index, draw] of draws.entries()) {
          const one = { ...wanted[index % wanted.length]!, taskId: `t${index}` };
          const isInterruptible = draw % 2 === 0;
          if (grant(one, isInterruptible, draw)) {
            if (isInterruptible) interruptible.add(one.taskId);
            continue;
          }
          const found = plan(one);
          const fitsWithout = (ids: Iterable<string>) =>
            engine.simulate(() => {
              for (const id of ids) engine.release(running.get(id)!.hold);
              return engine.place(one) !== 'NoNodeFits';
            });
          expect(found !== undefined).toBe(fitsWithout(interruptible));
          if (!found) continue;
          expect(fitsWithout(found.leaseIds)).toBe(true);
          for (const spared of found.leaseIds) {
            expect(fitsWithout(found.leaseIds.filter(id => id !== spared))).toBe(false);
          }
          for (const id of found.leaseIds) {
            expect(interruptible.delete(id)).toBe(true);
            room.ended(running.get(id)!);
            running.delete(id);
          }
        }
      },
    ),
    { numRuns: 100 },
  );
});

test('a gang of equals finds room exactly where it would if no interruptible lease ran', () => {
  fc.assert(
    fc.property(
      anyOffers,
      anyRequests(8),
      fc.array(fc.nat({ max: 9 }), { minLength: 20, maxLength: 60 }),
      fc.integer({ min: 1, max: 4 }),
      (all, wanted, draws, size) => {
        const { engine, room, running, grant } = marketOf();
        const interruptible = new Set<string>();
        for (const one of all) room.addNode(one);
        for (const [index, draw] of draws.entries()) {
          const one = { ...wanted[index % wanted.length]!, taskId: `t${index}` };
          if (grant(one, draw % 3 > 0, draw) && draw % 3 > 0) interruptible.add(one.taskId);
        }
        const members = Array.from({ length: size }, (_, index) => ({ ...wanted[0]!, taskId: `g${index}` }));
        const place = (fleet: PlacementEngine) => {
          const outcome = placeGang(fleet, {
            ...{ gangId: 'g', members, topology: 'any' },
            distinctOperators: false,
          });
          return typeof outcome === 'string' ? [] : outcome;
        };
        const fitsWithout = (ids: Iterable<string>) =>
          engine.simulate(() => {
            for (const id of ids) engine.release(running.get(id)!.hold);
            return place(engine).length === size;
          });
        const limits = { lostWork: (lease: Lease) => lease.lostWork, nowMs: 5, noticeMs: 10, leasesMax: 64 };
        const before = fitsWithout([]);
        const found = room.planTogether({ ...limits, members, place });
        expect(found !== undefined).toBe(fitsWithout(interruptible));
        expect(fitsWithout([])).toBe(before);
        if (!found) return;
        expect(found.every(id => interruptible.has(id))).toBe(true);
        expect(fitsWithout(found)).toBe(true);
        expect(room.planTogether({ ...limits, members, place, leasesMax: 0 })?.length ?? 0).toBe(0);
        const isSpared = ({ leaseId }: Lease) => leaseId === found[0];
        expect(room.planTogether({ ...limits, members, place, isSpared }) ?? []).not.toContain(found[0]);
      },
    ),
    { numRuns: 100 },
  );
});
