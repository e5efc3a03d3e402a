/** The page: who may enter, and which parts there are. */

import { SessionApi, sessionToken } from './session/api';
import { CompositionPanel } from './ui/composition-panel';
import { byId, onSubmit } from './ui/dom';
import { Notices } from './ui/notices';
import { RoomPanel } from './ui/room-panel';
import { StagePicker, stageTitle } from './ui/stage-picker';

const notices = new Notices();
const login = byId('login', HTMLElement);
const app = byId('app', HTMLElement);
const api = new SessionApi(sessionToken(document), () => showLogin(true));

const room = new RoomPanel(api, notices, (joined) => picker.setLocked(joined));
const composition = new CompositionPanel(api, notices);
const picker = new StagePicker(api, notices, (stage) => {
  byId('stage-title', HTMLElement).textContent = stage === null ? 'Choose a stage' : stageTitle(stage);
  byId('stage-hint', HTMLElement).hidden = stage !== null;
  room.show(stage);
  composition.show(stage);
});

onSubmit(byId('login-form', HTMLFormElement), async () => {
  const password = byId('password', HTMLInputElement);
  try {
    await api.login(password.value);
    password.value = '';
    notices.clear('login');
    await enter();
  } catch (error) {
    notices.error('login', error);
  }
});

void begin();

async function begin(): Promise<void> {
  try {
    const config = await api.config();
    if (config.loginRequired && !config.loggedIn) showLogin(true);
    else await enter();
  } catch (error) {
    notices.error('login', error);
  }
}

async function enter(): Promise<void> {
  showLogin(false);
  await picker.open();
}

function showLogin(wanted: boolean): void {
  if (wanted && !login.hidden) return;
  login.hidden = !wanted;
  app.hidden = wanted;
  byId('stage-choice', HTMLElement).hidden = wanted;
  if (wanted) byId('password', HTMLInputElement).focus();
}
