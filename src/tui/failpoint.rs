//! A panic where a test wants one. In the product there is nothing here.

/// Panics in tests, if the file that `JOBDECK_TRIP` names holds the name of this place.
#[cfg(not(test))]
pub fn failpoint(_place: &str) {}

/// Panics once if the file that `JOBDECK_TRIP` names holds the name of this place.
#[cfg(test)]
pub fn failpoint(place: &str) {
    let Some(wire) = std::env::var_os("JOBDECK_TRIP") else { return };
    if std::fs::read_to_string(&wire).is_ok_and(|text| text == place) {
        std::fs::remove_file(&wire).unwrap();
        panic!("tripped in {place}");
    }
}
