/** Notifications of the system, and a short sound with them. Loaded once the person has turned them on. */

import { settings } from "../preferences.js";

const EACH = 10_000; // ms between two notifications of one sender

const last = new Map(); // sender -> when

/**
 * Shows a notification of a message; pressing it brings the page to the front.
 * @param {string} sender
 * @param {string} text
 * @param {() => void} onPress
 */
export function notify(sender, text, onPress) {
  if (Date.now() - (last.get(sender) ?? -Infinity) < EACH) return;
  last.set(sender, Date.now());
  if (settings.sound) beep();
  /** @type {Notification} */
  let notice;
  try {
    notice = new Notification(sender, { body: text.slice(0, 200), tag: sender });
  } catch {
    return; // phones have the class, but only service workers may use it
  }
  notice.onclick = () => {
    window.focus();
    onPress();
    notice.close();
  };
}

function beep() {
  const context = new AudioContext();
  const [tone, volume] = [context.createOscillator(), context.createGain()];
  tone.frequency.value = 660;
  volume.gain.setValueAtTime(0.08, context.currentTime);
  volume.gain.exponentialRampToValueAtTime(0.001, context.currentTime + 0.25);
  tone.connect(volume).connect(context.destination);
  tone.start();
  tone.stop(context.currentTime + 0.25);
  tone.onended = () => context.close();
}
