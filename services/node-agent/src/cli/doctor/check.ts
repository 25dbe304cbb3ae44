/** What one look at the set-up says. */
export type Finding = {
  readonly id: string;
  /** Whether the node can be of use without it. */
  readonly isNeeded: boolean;
  /** `unknown`: what it rests on does not work, so that it could not be tried. */
  readonly state: 'ok' | 'problem' | 'unknown';
  readonly found: string;
  /** What its operator can do about it. */
  readonly advice?: string;
};

type Told = Pick<Finding, 'id' | 'isNeeded'>;

export const works = (check: Told, found: string): Finding => ({ ...check, state: 'ok', found });
export const fails = (check: Told, found: string, advice: string): Finding => ({
  ...check,
  ...{ state: 'problem', found, advice },
});
export const untried = (check: Told, because: string): Finding => ({
  ...check,
  ...{ state: 'unknown', found: `not tried: ${because}` },
});

export const isSound = (findings: readonly Finding[]): boolean =>
  findings.every(({ isNeeded, state }) => !isNeeded || state === 'ok');
