import { describe, expect, test } from '@jest/globals';
import { specify } from '@astro/event-sourcing/specify';
import type { Drain, NodeCommand, NodeEvent } from '@astro/messages/registry';
import { enrolled, node, offer, online } from './node.fixture.js';

const given = specify(node);
const at = (ms: number) => new Date(Date.UTC(2026, 0, 1) + ms);
const forever = new Date('9999-12-31T23:59:59Z');
const drainNode = (drain: Drain, operatorId = 'operator_1'): NodeCommand => ({
  type: 'DrainNode',
  data: { nodeId: 'node_1', operatorId, drain },
});
const undrainNode: NodeCommand = {
  type: 'UndrainNode',
  data: { nodeId: 'node_1', operatorId: 'operator_1' },
};
const drained = (drain: Drain): NodeEvent => ({ type: 'NodeDrained', data: { nodeId: 'node_1', drain } });
const undrained: NodeEvent = { type: 'NodeUndrained', data: { nodeId: 'node_1' } };
const inMaintenance = { ...offer, maintenance: [{ from: at(0), until: forever }] };
const onlineDrained: NodeEvent = { type: 'NodeCameOnline', data: { offer: inMaintenance } };

describe('a drain', () => {
  test('tells those who place work that the node is in maintenance, at once or when it comes', () => {
    given(enrolled, online)
      .when(drainNode({ from: at(0) }))
      .then(drained({ from: at(0) }), onlineDrained);
    given(enrolled)
      .when(drainNode({ from: at(0) }))
      .then(drained({ from: at(0) }));
    given(enrolled, drained({ from: at(0) }))
      .when({ type: 'MarkNodeOnline', data: { nodeId: 'node_1' } })
      .then(onlineDrained);
  });
  test('with a notice says until when what runs may go on', () => {
    const drain = { from: at(0), noticeUntil: at(60_000) };
    given(enrolled, online)
      .when(drainNode(drain))
      .then(drained(drain), {
        type: 'NodeCameOnline',
        data: { offer: inMaintenance, noticeUntil: at(60_000) },
      });
  });
  test('repeated changes nothing; only an earlier notice is another one', () => {
    const calm = given(enrolled, online, drained({ from: at(0) }), onlineDrained);
    calm.when(drainNode({ from: at(5) })).thenNothing();
    calm
      .when(drainNode({ from: at(5), noticeUntil: at(9) }))
      .then(drained({ from: at(0), noticeUntil: at(9) }), {
        type: 'NodeCameOnline',
        data: { offer: inMaintenance, noticeUntil: at(9) },
      });
    given(enrolled, drained({ from: at(0), noticeUntil: at(9) }))
      .when(drainNode({ from: at(5), noticeUntil: at(10) }))
      .thenNothing();
  });
  test('outlasts another offer', () => {
    const cheaper = { ...offer, pricePerSecondAtto: 7n };
    const publicKey = enrolled.type === 'NodeEnrolled' ? enrolled.data.publicKey : '';
    given(enrolled, online, drained({ from: at(0) }), onlineDrained)
      .when({ type: 'EnrolNode', data: { offer: cheaper, publicKey } })
      .then(
        { type: 'NodeEnrolled', data: { offer: cheaper, publicKey } },
        { type: 'NodeCameOnline', data: { offer: { ...inMaintenance, pricePerSecondAtto: 7n } } },
      );
  });
  test('of another operator’s node, or of none, is refused', () => {
    given(enrolled)
      .when(drainNode({ from: at(0) }, 'operator_2'))
      .thenRejected('NodeIsOfAnotherOperator');
    given()
      .when(drainNode({ from: at(0) }))
      .thenRejected('NodeNotEnrolled');
  });
  test.each([
    ['before it begins', at(-1)],
    ['of more than 30 days', at(30 * 24 * 3_600_000 + 1)],
  ])('with a notice %s is refused and the field is named', (_title, noticeUntil) => {
    const state = node.evolve(node.initialState, enrolled);
    expect(node.decide(drainNode({ from: at(0), noticeUntil }), state)).toMatchObject({
      rejection: 'DrainIsInvalid',
      detail: expect.stringMatching(/^drain.noticeUntil: must/),
    });
  });
});

describe('the end of a drain', () => {
  test('puts the node on the market as it was', () =>
    given(enrolled, online, drained({ from: at(0) }), onlineDrained)
      .when(undrainNode)
      .then(undrained, online));
  test('of a node that is not drained changes nothing', () =>
    given(enrolled, online).when(undrainNode).thenNothing());
  test('is for its operator to say', () =>
    given(enrolled, drained({ from: at(0) }))
      .when({ type: 'UndrainNode', data: { nodeId: 'node_1', operatorId: 'operator_2' } })
      .thenRejected('NodeIsOfAnotherOperator'));
});
