/** Emoji by their names, for completion after a colon. Loaded with the first. */

const TABLE =
  "+1 👍|-1 👎|100 💯|airplane ✈️|alarm ⏰|angry 😠|apple 🍎|art 🎨|astonished 😲|avocado 🥑|axe 🪓|bangbang ‼️|bar_chart 📊|" +
  "battery 🔋|beer 🍺|beers 🍻|bell 🔔|bike 🚲|blue_heart 💙|blush 😊|boat ⛵|bomb 💣|book 📖|boom 💥|brain 🧠|bread 🍞|" +
  "broken_heart 💔|bug 🐛|bulb 💡|bus 🚌|cactus 🌵|cake 🍰|calendar 📅|camera 📷|candle 🕯️|car 🚗|cat 🐱|champagne 🍾|" +
  "chart 📈|check ✅|cheese 🧀|clap 👏|clipboard 📋|cloud ☁️|clown 🤡|coffee ☕|computer 💻|confetti 🎊|confused 😕|construction 🚧|" +
  "cookie 🍪|cool 😎|cow 🐮|cowboy 🤠|crossed_fingers 🤞|crown 👑|cry 😢|crystal_ball 🔮|dancer 💃|dart 🎯|dizzy 💫|dog 🐶|door 🚪|" +
  "down ⬇️|dragon 🐉|ear 👂|earth 🌍|egg 🥚|email 📧|envelope ✉️|exclamation ❗|exploding_head 🤯|eyes 👀|facepalm 🤦|fast_forward ⏩|" +
  "fearful 😨|fire 🔥|fish 🐟|flag 🚩|flushed 😳|folder 📁|football ⚽|fox 🦊|frog 🐸|gear ⚙️|ghost 👻|gift 🎁|globe 🌐|goat 🐐|grapes 🍇|" +
  "green_heart 💚|grimacing 😬|grin 😁|guitar 🎸|hammer 🔨|handshake 🤝|hatching 🐣|heart ❤️|heart_eyes 😍|heavy_plus ➕|hedgehog 🦔|" +
  "hourglass ⏳|house 🏠|hug 🤗|hundred 💯|ice 🧊|inbox 📥|innocent 😇|island 🏝️|joy 😂|key 🔑|kiss 😘|label 🏷️|laptop 💻|left ⬅️|" +
  "lemon 🍋|link 🔗|lion 🦁|lock 🔒|loudspeaker 📢|mag 🔍|mailbox 📬|map 🗺️|mask 😷|medal 🏅|memo 📝|microscope 🔬|money 💰|monkey 🐵|" +
  "moon 🌙|mountain ⛰️|mouse 🐭|muscle 💪|mushroom 🍄|music 🎵|nerd 🤓|neutral 😐|new 🆕|ok 👌|orange 🍊|outbox 📤|owl 🦉|package 📦|" +
  "palm_tree 🌴|panda 🐼|paperclip 📎|party 🥳|penguin 🐧|phone 📞|pin 📌|pizza 🍕|plug 🔌|point_down 👇|point_left 👈|point_right 👉|" +
  "point_up 👆|popcorn 🍿|pray 🙏|printer 🖨️|purple_heart 💜|question ❓|rabbit 🐰|rainbow 🌈|raised_hands 🙌|recycle ♻️|repeat 🔁|" +
  "right ➡️|robot 🤖|rocket 🚀|rofl 🤣|rolling_eyes 🙄|rose 🌹|sad 😞|salt 🧂|salute 🫡|sandwich 🥪|satellite 🛰️|scared 😱|scissors ✂️|" +
  "scream 😱|see_no_evil 🙈|seedling 🌱|sheep 🐑|shield 🛡️|ship 🚢|shrug 🤷|siren 🚨|skull 💀|sleepy 😴|slight_smile 🙂|smile 😄|smirk 😏|" +
  "snail 🐌|snake 🐍|snow ❄️|sob 😭|soon 🔜|sparkles ✨|speaker 🔊|star ⭐|stop 🛑|strawberry 🍓|sun ☀️|sunglasses 😎|sushi 🍣|sweat 😓|" +
  "tada 🎉|taxi 🚕|tea 🍵|telescope 🔭|test_tube 🧪|thinking 🤔|thumbsdown 👎|thumbsup 👍|thunder ⚡|ticket 🎫|tomato 🍅|tongue 😛|" +
  "tools 🛠️|train 🚆|tree 🌳|trophy 🏆|truck 🚚|turtle 🐢|umbrella ☔|unicorn 🦄|unlock 🔓|up ⬆️|upside_down 🙃|victory ✌️|warning ⚠️|" +
  "watermelon 🍉|wave 👋|whale 🐳|white_heart 🤍|wine 🍷|wink 😉|wrench 🔧|x ❌|yawn 🥱|yum 😋|zap ⚡|zipper 🤐|zzz 💤";

/** Name and sign of each. */
export const emoji = TABLE.split("|").map((one) => one.split(" "));
