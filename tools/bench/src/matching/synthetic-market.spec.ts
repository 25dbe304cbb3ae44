import { PlacementEngine } from '@astro/matching/engine/engine';
import { policyAlone } from '@astro/matching/engine/weights';
import type { Policy } from '@astro/matching/engine/policy';
import { expect, test } from '@jest/globals';
import { measureMarket } from './scale-market.js';
import { measureScale } from './scale.js';
import { SyntheticMarket } from './synthetic-fleet.js';

const packing: Policy = {
  kind: 'direct',
  name: 'packing',
  score: (_demand, _before, { freeCpuMillis }) => -freeCpuMillis,
};

test('the same seed gives the same fleet and requests, another one others', () => {
  const [one, same, other] = [7, 7, 8].map(seed => {
    const market = new SyntheticMarket(seed, 20);
    const nodes = Array.from({ length: 50 }, (_, index) => market.node(index, 50));
    return { nodes, requests: Array.from({ length: 50 }, () => market.request('t')) };
  });
  expect(same).toEqual(one);
  expect(other).not.toEqual(one);
});

test('a point of the curve is measured in the steady state of a fleet in use', () => {
  const point = measureScale(300, 500, packing, policyAlone);
  expect(point.nodes).toBe(300);
  expect(point.usedPercent).toBeGreaterThan(75);
  expect(point.refusedPercent).toBeLessThan(50);
  expect(point.nodesScoredPerDecision).toBeLessThan(300);
});

test('a market in use stops interruptible leases for tasks that fit nowhere, and sells what is left', () => {
  const point = measureMarket(300, 2_000, packing, policyAlone);
  expect(point.preemptionsPerThousand).toBeGreaterThan(0);
  expect(point.leasesStoppedPerPreemption).toBeGreaterThanOrEqual(1);
  expect(point.auctions).toBeGreaterThan(2);
  expect(point.bidsWonPercent).toBeGreaterThan(0);
  expect(point.bidsWonPercent).toBeLessThan(100);
});

test('requests of the market are placed within their filters', () => {
  const market = new SyntheticMarket(1, 40);
  const engine = new PlacementEngine({ policy: packing, weights: policyAlone });
  const nodes = Array.from({ length: 200 }, (_, index) => market.node(index, 200));
  for (const node of nodes) engine.addNode(node);
  for (let index = 0; index < 300; index++) {
    const request = market.request(`t${index}`);
    const placement = engine.place(request);
    if (placement === 'NoNodeFits') continue;
    const node = nodes.find(({ nodeId }) => nodeId === placement.nodeId)!;
    const { regions, priceCapAtto, reliabilityMin } = request.requirements;
    expect(regions.allowed.length === 0 || regions.allowed.includes(node.region)).toBe(true);
    expect(node.pricePerDeviceSecondAtto <= (priceCapAtto ?? node.pricePerDeviceSecondAtto)).toBe(true);
    expect(node.reliability).toBeGreaterThanOrEqual(reliabilityMin);
  }
});
