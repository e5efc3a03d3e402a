/** Starting, following and stopping the stage's composition, and watching what comes out of it. */

import { poll } from '../poll';
import { bitrateFor } from '../sdk/encodings';
import type { SessionApi } from '../session/api';
import { type LayoutChoice, layoutFor } from '../session/layout';
import {
  currentComposition,
  destinationOf,
  duration,
  isRunning,
  stateWord,
} from '../session/progress';
import type { Composition, Destination, Stage } from '../session/types';
import { byId, element, onClick, onSubmit } from './dom';
import { LiveCard, RecordingCard } from './output-cards';
import type { Notices } from './notices';
import { chosenSize } from './room-panel';

const INTERVAL_MS = 1_000;

/** See the module's text. */
export class CompositionPanel {
  private readonly form = byId('composition-form', HTMLFormElement);
  private readonly start = this.form.querySelector('button');
  private readonly stopButton = byId('stop-composition', HTMLButtonElement);
  private readonly state = byId('composition-state', HTMLElement);
  private readonly time = byId('composition-time', HTMLElement);
  private readonly list = byId('destinations', HTMLElement);
  private readonly live = new LiveCard();
  private readonly recording = new RecordingCard();
  private stage: Stage | null = null;
  private composition: Composition | null = null;
  private following = new AbortController();

  constructor(
    private readonly api: SessionApi,
    private readonly notices: Notices,
  ) {
    onSubmit(this.form, () => this.startComposition());
    onClick(this.stopButton, () => this.stopComposition());
  }

  /** Follows the compositions of this stage. */
  show(stage: Stage | null): void {
    if (stage?.stageId === this.stage?.stageId && stage !== null) return;
    this.following.abort();
    this.following = new AbortController();
    this.stage = stage;
    this.composition = null;
    this.live.reset();
    this.recording.reset();
    this.render();
    if (stage === null) return;
    void poll(INTERVAL_MS, this.following.signal, (signal) => this.follow(stage, signal));
  }

  private async follow(stage: Stage, signal: AbortSignal): Promise<void> {
    try {
      const compositions = await this.api.compositions(stage.stageId, signal);
      if (signal.aborted) return;
      this.notices.clear('compositions');
      // One that has ended is forgotten by the server after a while, not by the page.
      this.composition = currentComposition(compositions) ?? this.ended();
      this.render();
    } catch (error) {
      if (!signal.aborted) this.notices.error('compositions', error);
    }
  }

  private ended(): Composition | null {
    return this.composition !== null && !isRunning(this.composition.state) ? this.composition : null;
  }

  private async startComposition(): Promise<void> {
    const { stage } = this;
    if (stage === null) return;
    this.notices.clear('composition');
    const { width, height } = chosenSize('canvas');
    const channel = byId('to-channel', HTMLInputElement).checked;
    const recording = byId('to-recording', HTMLInputElement).checked;
    if (!channel && !recording) {
      this.notices.error('composition', 'choose the channel, the recording, or both');
      return;
    }
    try {
      this.composition = await this.api.startComposition({
        stageId: stage.stageId,
        layout: layoutFor(byId('layout', HTMLSelectElement).value as LayoutChoice),
        width,
        height,
        bitrate: bitrateFor(height),
        channel,
        recording,
      });
      this.render();
    } catch (error) {
      this.notices.error('composition', error);
    }
  }

  private async stopComposition(): Promise<void> {
    const { composition } = this;
    if (composition === null) return;
    try {
      this.composition = await this.api.stopComposition(composition.compositionId);
      this.notices.clear('composition');
      this.render();
    } catch (error) {
      this.notices.error('composition', error);
    }
  }

  private render(): void {
    const { composition } = this;
    const running = composition !== null && isRunning(composition.state);
    this.form.hidden = running;
    if (this.start !== null) this.start.disabled = this.stage === null;
    this.stopButton.hidden = !running || composition.state === 'STOPPING';
    this.state.dataset['state'] = composition?.state ?? 'NONE';
    setText(this.state, composition === null ? 'Not running' : stateWord(composition.state));
    this.time.textContent = composition === null ? '' : duration(composition, Date.now());
    this.renderDestinations(composition?.destinations ?? []);
    if (composition === null) return;
    this.live.show(destinationOf(composition, 'channel'), running);
    this.recording.show(destinationOf(composition, 'recording'), running);
  }

  private renderDestinations(destinations: Destination[]): void {
    const shape = destinations.map(({ id, state }) => `${id} ${state}`).join();
    if (this.list.dataset['shape'] === shape) return;
    this.list.dataset['shape'] = shape;
    this.list.replaceChildren(
      ...destinations.map((destination) => {
        const chip = element('span', 'chip small', stateWord(destination.state));
        chip.dataset['state'] = destination.state;
        const what = destination.kind === 'channel' ? 'Channel' : 'Recording in S3';
        const item = element('li', '', element('span', '', what), chip);
        item.dataset['testid'] = `destination-${destination.kind}`;
        item.dataset['state'] = destination.state;
        return item;
      }),
    );
  }
}

/** Screen readers repeat an output whose text is set, even to the same. */
function setText(target: HTMLElement, text: string): void {
  if (target.textContent !== text) target.textContent = text;
}
