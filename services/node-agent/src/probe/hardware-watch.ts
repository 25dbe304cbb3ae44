import type { Log } from '@astro/jetstream/log';
import { type EnrolmentOptions, offerFingerprint } from '../enrol/enrolment.js';

type Offer = EnrolmentOptions['offer'];

/** What one look at the machine says. */
export type Look = { readonly offer: Offer; readonly problems: readonly string[] };

/**
 * Whether what this machine can offer has changed since the registry was told. A driver that is loaded anew hides its
 * devices for a moment, and so a change counts once two looks after each other agree.
 */
export class HardwareWatch {
  readonly #look: () => Promise<Look>;
  readonly #log: Log;
  #told: string;
  #seen: string;
  #problems: ReadonlySet<string> = new Set();

  constructor(first: Look, look: () => Promise<Look>, log: Log) {
    this.#look = look;
    this.#log = log;
    this.#told = this.#seen = offerFingerprint(first.offer);
    this.#note(first.problems);
  }

  /**
   * What to tell the registry now; undefined while it knows, or while it is not sure.
   * @param isKnown whether something has changed for a reason that needs no second look
   */
  async changed(isKnown = false): Promise<Offer | undefined> {
    const { offer, problems } = await this.#look();
    this.#note(problems);
    const now = offerFingerprint(offer);
    const isSure = isKnown || now === this.#seen;
    this.#seen = now;
    return isSure && now !== this.#told ? offer : undefined;
  }

  told(offer: Offer): void {
    this.#told = offerFingerprint(offer);
  }

  /** Each problem is told when it begins, not at each look. */
  #note(problems: readonly string[]): void {
    for (const problem of problems) if (!this.#problems.has(problem)) this.#log.warn(problem);
    this.#problems = new Set(problems);
  }
}
