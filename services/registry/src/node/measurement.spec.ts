import { describe, expect, test } from '@jest/globals';
import { specify } from '@astro/event-sourcing/specify';
import { milliUnitsOf, referenceMachine } from '@astro/messages/compute-unit';
import type { Measurement, NodeCommand, NodeEvent } from '@astro/messages/registry';
import fc from 'fast-check';
import { enrolled, node } from './node.fixture.js';

const given = specify(node);
const usual: Measurement = {
  ...referenceMachine.figures,
  measuredAt: new Date('2026-12-01T00:00:00Z'),
  networkKibPerSecond: 10_000,
  cores: 4,
  spreadThousandths: 30,
};
const measure = (changes: Partial<Measurement> = {}): NodeCommand => ({
  type: 'MeasureNode',
  data: { nodeId: 'node_1', measurement: { ...usual, ...changes } },
});
const measured = (changes: Partial<Measurement> = {}): NodeEvent => {
  const measurement = { ...usual, ...changes };
  return {
    type: 'NodeMeasured',
    data: { nodeId: 'node_1', measurement, milliUnits: milliUnitsOf(measurement) },
  };
};
const changed = (figure: string, before: number, now: number): NodeEvent => ({
  type: 'NodePerformanceChanged',
  data: { nodeId: 'node_1', changes: [{ figure, usual: before, measured: now }] },
});
const half = { matrixMflops: Math.floor(usual.matrixMflops / 2) - 1 };
const slower = changed('matrix_mflops', usual.matrixMflops, half.matrixMflops);
const thrice = [measured(), measured(), measured()];

describe('a measurement', () => {
  test('is recorded in compute units', () =>
    given(enrolled)
      .when(measure())
      .then({ type: 'NodeMeasured', data: { nodeId: 'node_1', measurement: usual, milliUnits: 1_000 } }));
  test('of a node that never enrolled is refused', () =>
    given().when(measure()).thenRejected('NodeNotEnrolled'));
  test.each<[string, Partial<Measurement>]>([
    ['matrixMflops', { matrixMflops: 0 }],
    ['matrixMflops', { matrixMflops: 4 * 500_000 + 1 }],
    ['memoryMibPerSecond', { memoryMibPerSecond: 8 * 1024 * 1024 + 1 }],
    ['diskWriteMibPerSecond', { diskWriteMibPerSecond: 0 }],
    ['diskReadMibPerSecond', { diskReadMibPerSecond: 1.5 }],
    ['networkKibPerSecond', { networkKibPerSecond: 195_312_501 }],
    ['peerNetworkKibPerSecond', { peerNetworkKibPerSecond: 195_312_501 }],
    ['cores', { cores: 5 }],
    ['spreadThousandths', { spreadThousandths: 10_001 }],
  ])('with an absurd %s is refused and the field is named', (field, changes) => {
    const state = node.evolve(node.initialState, enrolled);
    expect(node.decide(measure(changes), state)).toMatchObject({
      rejection: 'MeasurementIsInvalid',
      detail: expect.stringMatching(new RegExp(`^measurement.${field}: must`)),
    });
  });
});

describe('a sudden change', () => {
  test('is told with the measurement that shows it', () =>
    given(enrolled, ...thrice)
      .when(measure(half))
      .then(measured(half), slower));
  test('is told once, and again only after the node was as usual', () => {
    given(enrolled, ...thrice, measured(half), slower)
      .when(measure(half))
      .then(measured(half));
    given(enrolled, ...thrice, measured(half), slower, measured())
      .when(measure(half))
      .then(measured(half), slower);
  });
  test('is none of a node of which little is known, of other cores, or within half and double', () => {
    given(enrolled, measured(), measured()).when(measure(half)).then(measured(half));
    given(enrolled, ...thrice)
      .when(measure({ ...half, cores: 2 }))
      .then(measured({ ...half, cores: 2 }));
    const double = { matrixMflops: 2 * usual.matrixMflops };
    given(enrolled, ...thrice)
      .when(measure(double))
      .then(measured(double));
  });
  test('becomes the usual once most of the last nine say so', () => {
    const nine = [...Array<NodeEvent>(4).fill(measured()), ...Array<NodeEvent>(5).fill(measured(half))];
    given(enrolled, ...nine)
      .when(measure())
      .then(measured(), changed('matrix_mflops', half.matrixMflops, usual.matrixMflops));
  });
  test('of the network says nothing where it was not measured', () =>
    given(enrolled, ...thrice)
      .when(measure({ networkKibPerSecond: 0 }))
      .then(measured({ networkKibPerSecond: 0 })));
});

test('a machine that is better in anything is never worth less, and twice in all is twice the units', () => {
  const figure = fc.integer({ min: 1, max: 100_000 });
  const figures = fc.record({
    matrixMflops: figure,
    memoryMibPerSecond: figure,
    diskWriteMibPerSecond: figure,
    diskReadMibPerSecond: figure,
  });
  fc.assert(
    fc.property(figures, figures, (left, right) => {
      const best = {
        matrixMflops: Math.max(left.matrixMflops, right.matrixMflops),
        memoryMibPerSecond: Math.max(left.memoryMibPerSecond, right.memoryMibPerSecond),
        diskWriteMibPerSecond: Math.max(left.diskWriteMibPerSecond, right.diskWriteMibPerSecond),
        diskReadMibPerSecond: Math.max(left.diskReadMibPerSecond, right.diskReadMibPerSecond),
      };
      expect(milliUnitsOf(best)).toBeGreaterThanOrEqual(Math.max(milliUnitsOf(left), milliUnitsOf(right)));
    }),
  );
  const { figures: reference } = referenceMachine;
  const twice = Object.fromEntries(Object.entries(reference).map(([name, value]) => [name, 2 * value]));
  expect(milliUnitsOf(twice as typeof reference)).toBe(2_000);
});
