import { Injectable } from '@nestjs/common';

/** `filling`: an earlier version serves while this one catches up. `superseded`: a later version serves. */
export type ProjectionState = 'live' | 'filling' | 'superseded';

export type ProjectionReport = {
  readonly name: string;
  readonly state: ProjectionState;
  /** Of the tables that serve. */
  readonly version: number;
  /** Of the last event that is in them. */
  readonly position: number;
  /** Of the last event in the stream that the projection reads. */
  readonly lastPosition: number;
  /** In positions of the stream, of which other aggregates have some; 0 when nothing is missing. */
  readonly lag: number;
};

/** What each projection of the service says of itself. */
@Injectable()
export class ProjectionReports {
  readonly #sources: (() => Promise<ProjectionReport>)[] = [];

  register(source: () => Promise<ProjectionReport>): void {
    this.#sources.push(source);
  }

  all(): Promise<readonly ProjectionReport[]> {
    return Promise.all(this.#sources.map(source => source()));
  }
}
