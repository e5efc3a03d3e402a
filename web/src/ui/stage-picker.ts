/** The choice of the stage, and making one. */

import type { SessionApi } from '../session/api';
import type { Stage } from '../session/types';
import { byId, element, onSubmit } from './dom';
import type { Notices } from './notices';

const REMEMBERED = 'proscenium.stage';

/** See the module's text. */
export class StagePicker {
  private readonly select = byId('stage-select', HTMLSelectElement);
  private readonly form = byId('stage-form', HTMLFormElement);
  private readonly name = byId('stage-name', HTMLInputElement);
  private stages: Stage[] = [];

  constructor(
    private readonly api: SessionApi,
    private readonly notices: Notices,
    private readonly onChosen: (stage: Stage | null) => void,
  ) {
    this.select.addEventListener('change', () => this.choose(this.select.value));
    // Others make stages too: the list is fresh when it is opened.
    this.select.addEventListener('pointerdown', () => void this.refresh());
    this.select.addEventListener('focus', () => void this.refresh());
    onSubmit(this.form, () => this.create());
  }

  /** Lists the stages and chooses the one of the last visit, or the only one. */
  async open(): Promise<void> {
    await this.refresh();
    const remembered = localStorage.getItem(REMEMBERED);
    const known = this.stages.find((each) => each.stageId === remembered);
    const only = this.stages.length === 1 ? this.stages[0] : undefined;
    this.choose((known ?? only)?.stageId ?? '');
  }

  /** While joined, the stage stays as it is. */
  setLocked(locked: boolean): void {
    this.select.disabled = locked;
    for (const control of this.form.elements) {
      if (control instanceof HTMLInputElement || control instanceof HTMLButtonElement) {
        control.disabled = locked;
      }
    }
  }

  private async refresh(): Promise<void> {
    try {
      this.stages = await this.api.stages();
      this.notices.clear('stages');
    } catch (error) {
      this.notices.error('stages', error);
      return;
    }
    this.render();
  }

  private async create(): Promise<void> {
    try {
      const stage = await this.api.createStage(this.name.value.trim());
      this.notices.clear('stages');
      this.name.value = '';
      this.stages = [...this.stages, stage];
      this.render();
      this.choose(stage.stageId);
    } catch (error) {
      this.notices.error('stages', error);
    }
  }

  private choose(stageId: string): void {
    const stage = this.stages.find((each) => each.stageId === stageId) ?? null;
    this.select.value = stage?.stageId ?? '';
    if (stage !== null) localStorage.setItem(REMEMBERED, stage.stageId);
    this.onChosen(stage);
  }

  /** Changes the list only where it differs, so that an open list is not disturbed. */
  private render(): void {
    const wanted = [
      { value: '', text: this.stages.length === 0 ? 'None yet' : 'Choose…' },
      ...this.stages.map((stage) => ({ value: stage.stageId, text: stageTitle(stage) })),
    ];
    const same =
      wanted.length === this.select.options.length &&
      wanted.every(({ value }, index) => this.select.options[index]?.value === value);
    if (same) return;
    const chosen = this.select.value;
    this.select.replaceChildren(
      ...wanted.map(({ value, text }) => {
        const option = element('option', '', text);
        option.value = value;
        return option;
      }),
    );
    this.select.value = chosen;
  }
}

/** Its name, or its id when it has none. */
export function stageTitle(stage: Stage): string {
  return stage.name ? stage.name : `Stage ${stage.stageId}`;
}
