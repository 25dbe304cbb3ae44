import { expect, test } from '@jest/globals';
import { accept, reject, type Decider, type Message } from './decider.js';
import { specify } from './specify.js';

type Lamp = { status: 'off' | 'on' };
type LampCommand = Message<'SwitchOn', object> | Message<'SwitchOff', object>;
type LampEvent = Message<'SwitchedOn', object> | Message<'SwitchedOff', object>;

const lamp: Decider<Lamp, LampCommand, LampEvent, 'LampIsOff'> = {
  initialState: { status: 'off' },
  decide({ type }, { status }) {
    switch (type) {
      case 'SwitchOn':
        return status === 'on' ? accept() : accept({ type: 'SwitchedOn', data: {} });
      case 'SwitchOff':
        return status === 'off'
          ? reject('LampIsOff', 'nothing to switch off')
          : accept({ type: 'SwitchedOff', data: {} });
    }
  },
  evolve(_lamp, { type }) {
    switch (type) {
      case 'SwitchedOn':
        return { status: 'on' };
      case 'SwitchedOff':
        return { status: 'off' };
    }
  },
};
const given = specify(lamp);
const on: LampCommand = { type: 'SwitchOn', data: {} };
const off: LampCommand = { type: 'SwitchOff', data: {} };
const switchedOn: LampEvent = { type: 'SwitchedOn', data: {} };

test('a specification passes on what the decider does', () => {
  given().when(on).then(switchedOn);
  given(switchedOn).when(on).thenNothing();
  given(switchedOn).when(off, off).thenRejected('LampIsOff');
  given()
    .when(on)
    .thenState(({ status }) => expect(status).toBe('on'));
});

test('a specification fails on everything else', () => {
  expect(() => given().when(on).thenNothing()).toThrow();
  expect(() => given().when(on).thenRejected('LampIsOff')).toThrow('accepted with SwitchedOn');
  expect(() => given(switchedOn).when(on).then(switchedOn)).toThrow();
  expect(() => given().when(off).then()).toThrow('refused: LampIsOff (nothing to switch off)');
  expect(() => given().when(off).thenNothing()).toThrow('refused');
});
