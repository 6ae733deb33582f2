// What the panel says at all times. What it says of a meet is in `texts.js`.

const platforms = [1, 2, 3, 4, 5, 6, 7, 8, 9].map((platform) => `<option value="${platform}">${platform}</option>`).join("");

const platformField = `
  <label>Platform that is scored here
    <select name="platform"><option value="">none</option>${platforms}</select>
  </label>
  <p class="note">Overlays and displays follow what this browser shows of that platform. One browser for each platform.</p>`;

const goLive = `
  <section class="card" aria-labelledby="go-live-title">
    <h2 id="go-live-title">Go live</h2>
    <p class="note">Puts the meet of this browser on the server, for other browsers to join.</p>
    <form id="go-live">
      <label>Password <input name="password" type="password" autocomplete="new-password" maxlength="1024" required aria-describedby="password-note"></label>
      <p id="password-note" class="note">At least 10 characters. Everybody who joins needs it; nobody can look it up later.</p>
      <fieldset>
        <legend>Locations</legend>
        <p class="note">Everywhere the meet is worked on. Where two change the same thing, the higher priority counts. Choose which one this browser is.</p>
        <ul id="new-locations" class="plain"></ul>
        <button type="button" id="add-location">Add a location</button>
      </fieldset>
      ${platformField}
      <label id="create-key" hidden>Key of this server for new meets <input name="createKey" type="password" autocomplete="off"></label>
      <div class="actions"><button type="submit" class="main">Go live</button></div>
      <p class="said" role="alert"></p>
    </form>
  </section>`;

const join = `
  <section class="card" aria-labelledby="join-title">
    <h2 id="join-title">Join</h2>
    <p class="note">Takes a meet that is live elsewhere into this browser.</p>
    <form id="join">
      <label>Meet id <input name="meetId" inputmode="numeric" autocomplete="off" placeholder="123-456-789" required></label>
      <label>Password <input name="password" type="password" autocomplete="current-password" required></label>
      <label>Location <input name="locationName" autocomplete="off" maxlength="64" list="usual-locations" required aria-describedby="location-note"></label>
      <datalist id="usual-locations"></datalist>
      <p id="location-note" class="note">Written as whoever went live wrote it; the list of locations is in their panel.</p>
      ${platformField}
      <div class="actions"><button type="submit" class="main">Join</button></div>
      <div class="question" hidden></div>
      <p class="said" role="alert"></p>
    </form>
  </section>`;

const standing = `
  <p id="link-state" role="status" data-state="connecting"><span id="link-text"></span></p>
  <p id="notice" class="notice" role="alert" hidden></p>
  <button type="button" id="again" class="main" hidden>Join again</button>
  <dl class="facts">
    <div><dt>Meet</dt><dd id="meet-id"></dd></div>
    <div><dt>This browser</dt><dd id="here"></dd></div>
    <div><dt>Pending</dt><dd id="pending">0</dd></div>
    <div><dt>Update</dt><dd id="number">0</dd></div>
    <div><dt>Transport</dt><dd id="transport">–</dd></div>
    <div><dt>Viewers</dt><dd id="viewers">0</dd></div>
  </dl>`;

const conflicts = `
  <section class="card" aria-labelledby="conflicts-title">
    <h2 id="conflicts-title" tabindex="-1">Conflicts <span id="conflicts-count" class="count">0</span></h2>
    <p id="no-conflicts" class="note">Nothing that was entered here was refused or overruled.</p>
    <ul id="conflicts" class="plain" aria-label="Refused"></ul>
    <ul id="overruled" class="plain" aria-label="Overruled"></ul>
  </section>`;

const locations = `
  <section class="card" aria-labelledby="locations-title">
    <h2 id="locations-title">Who is here</h2>
    <p id="locations-note" class="note" hidden>As last heard from the server.</p>
    <table id="locations">
      <thead><tr><th scope="col">Location</th><th scope="col" class="number">Priority</th><th scope="col">Link</th><th scope="col">Lag</th></tr></thead>
      <tbody></tbody>
    </table>
  </section>`;

const sharing = `
  <section class="card" aria-labelledby="sharing-title">
    <h2 id="sharing-title">Invite</h2>
    <p class="note">Opens OpenLifter with the meet id filled in; the password is asked for.</p>
    <div id="invitation"></div>
    <p id="loopback" class="notice" hidden>This address works on this computer only. For others, open OpenLifter here by the address that this computer has on the network.</p>
    <canvas id="invitation-code" role="img" aria-label="QR code of the address to join"></canvas>
  </section>

  <section class="card" aria-labelledby="overlays-title">
    <h2 id="overlays-title">Overlays</h2>
    <p class="note">For the stream and for displays: whoever has the address can look at the meet, private fields aside, and change nothing.</p>
    <form id="overlays"><button type="submit">Make an address</button> <p class="said" role="alert"></p></form>
    <div id="overlay-addresses"></div>
  </section>`;

const publish = `
  <section class="card" aria-labelledby="publish-title">
    <h2 id="publish-title">Publish the results</h2>
    <p class="note">The CSV file that OpenLifter exports for OpenPowerlifting on its results page, unchanged.</p>
    <form id="publish">
      <label>Results <input name="file" type="file" accept=".csv,text/csv" required></label>
      <label>E-mail for answers <input name="returnEmail" type="email" autocomplete="email" required></label>
      <div class="actions"><button type="submit" class="main">Publish</button></div>
      <p class="said" role="alert"></p>
    </form>
    <ul id="publishes" class="plain"></ul>
    <p id="publishes-said" class="said" role="alert"></p>
  </section>`;

const leave = `
  <section class="card" aria-labelledby="leave-title">
    <h2 id="leave-title">Leave</h2>
    <p class="note">The meet stays in this browser as it is, and on the server for the others. From then on each goes its own way.</p>
    <form id="leave">
      <div class="actions"><button type="submit" class="grave">Leave the meet</button></div>
      <div class="question" hidden></div>
      <p class="said" role="alert"></p>
    </form>
  </section>`;

/** The panel's inside. Nothing of it comes from a meet. */
export const MARKUP = `
  <dialog id="panel" aria-labelledby="panel-title">
    <div class="panel-head">
      <h1 id="panel-title" tabindex="-1">Live (Advanced)</h1>
      <button type="button" id="close">Close</button>
    </div>
    <p id="panel-said" class="said bad" role="alert"></p>
    <div id="entrance" class="cards">${goLive}${join}</div>
    <div id="live" class="cards" hidden>${standing}${conflicts}${locations}${sharing}${publish}${leave}</div>
  </dialog>`;
