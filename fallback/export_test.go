package fallback

// RaceEnabled is raceEnabled for the tests outside of the package.
const RaceEnabled = raceEnabled
