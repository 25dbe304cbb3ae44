import { describe, expect, test } from '@jest/globals';
import { closedWindows, offerHoursIn } from './offer-hours.js';

const windowsOf = (text: string, timeZone: string, now: string) =>
  closedWindows(offerHoursIn(text, timeZone), new Date(now)).map(({ from, until }) => [
    from.toISOString().slice(0, 16),
    until.toISOString().slice(0, 16),
  ]);

describe('the hours of an offer', () => {
  test('nights only: the days are closed', () => {
    const windows = windowsOf('22:00-06:00', 'UTC', '2026-11-30T15:20:00Z');
    expect(windows).toHaveLength(8);
    expect(windows[0]).toEqual(['2026-11-30T06:00', '2026-11-30T22:00']);
    expect(windows[7]).toEqual(['2026-12-07T06:00', '2026-12-07T22:00']);
  });

  test('say the same all day long', () => {
    const at = (time: string) => windowsOf('22:00-06:00', 'UTC', `2026-11-30T${time}Z`);
    expect(at('00:00:00')).toEqual(at('23:59:59'));
  });

  test('may differ by the day of the week', () => {
    const windows = windowsOf('Mon-Fri 19:00-07:00, Sat-Sun 00:00-24:00', 'UTC', '2026-11-30T12:00:00Z');
    expect(windows.map(([from]) => from)).toEqual([
      '2026-11-30T00:00',
      '2026-12-01T07:00',
      '2026-12-02T07:00',
      '2026-12-03T07:00',
      '2026-12-04T07:00',
      '2026-12-07T00:00',
    ]);
  });

  test('are those of the wall clock, when summer time ends too', () => {
    const windows = windowsOf('22:00-06:00', 'Europe/Berlin', '2026-10-24T12:00:00Z');
    expect(windows.slice(0, 2)).toEqual([
      ['2026-10-24T04:00', '2026-10-24T20:00'],
      ['2026-10-25T05:00', '2026-10-25T21:00'],
    ]);
  });

  test.each([
    ['22-06', 'must look like'],
    ['22:10-06:00', 'quarter of an hour'],
    ['25:00-06:00', 'quarter of an hour'],
    ['22:00-22:00', 'opens for no time'],
    ['Mun 22:00-23:00', 'a day must be one of'],
    [Array(8).fill('22:00-06:00').join(','), 'at most 7'],
    ['', 'must look like'],
  ])('are refused: %j', (text, reason) => {
    expect(() => offerHoursIn(text, 'UTC')).toThrow(reason);
  });

  test('are of a time zone that there is', () => {
    expect(() => offerHoursIn('22:00-06:00', 'Mars/Olympus')).toThrow('Mars/Olympus is no time zone');
  });
});
