//! Whatever is pressed, clicked and reported at whatever size: the dashboard draws it.

use proptest::collection::vec;
use proptest::prelude::*;

use super::dashboard::observed;
use super::screens::Screen;
use crate::app::event::{Event, Mouse, MouseKind};
use crate::app::keys::table;
use crate::domain::fact::{Fact, Health};
use crate::domain::job::JobIx;
use crate::domain::state::State;

/// What may happen.
#[derive(Debug, Clone)]
enum Step {
    Key(usize),
    Typed(char),
    Pasted(String),
    Mouse(u16, u16, usize),
    Size(u16, u16),
    Changed(u32, usize),
    GivenUp(u32),
    Gone(u32),
    Settled,
    Waited(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let size = prop_oneof![(0u16..12, 0u16..12), (30u16..90, 5u16..30), (90u16..210, 20u16..70)];
    prop_oneof![
        8 => (0usize..200).prop_map(Step::Key),
        1 => any::<char>().prop_map(Step::Typed),
        1 => ".{0,9}".prop_map(Step::Pasted),
        2 => (0u16..210, 0u16..70, 0usize..5).prop_map(|(x, y, kind)| Step::Mouse(x, y, kind)),
        2 => size.prop_map(|(width, height)| Step::Size(width, height)),
        2 => (0u32..12, 0usize..8).prop_map(|(ix, state)| Step::Changed(ix, state)),
        1 => (0u32..9).prop_map(Step::GivenUp),
        1 => (0u32..9).prop_map(Step::Gone),
        1 => Just(Step::Settled),
        1 => (0u64..100).prop_map(Step::Waited),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn nothing_that_is_pressed_at_any_size_breaks_the_screen(steps in vec(step(), 1..40), ascii in any::<bool>()) {
        // Leaving would end it; every other key is pressed.
        let keys: Vec<&str> = table().iter().flat_map(|binding| binding.keys).copied().collect();
        let keys: Vec<&str> = keys.into_iter().filter(|key| !["q", "Ctrl-c"].contains(key)).collect();
        let mut screen = Screen::busy(80, 24);
        if ascii {
            screen = screen.ascii();
        }
        for (second, step) in (1i64..).zip(steps) {
            match step {
                Step::Key(n) => screen = screen.keys(keys[n % keys.len()]),
                Step::Typed(c) => screen = screen.typed(&c.to_string()),
                Step::Pasted(text) => screen.event(Event::Paste(text)),
                Step::Mouse(x, y, kind) => {
                    let kinds = [MouseKind::Press, MouseKind::Drag, MouseKind::Release, MouseKind::WheelUp, MouseKind::WheelDown];
                    screen.event(Event::Mouse(Mouse { x, y, kind: kinds[kind] }));
                }
                Step::Size(width, height) => screen.event(Event::Resize { width, height }),
                Step::Changed(ix, state) => screen.fact(observed(ix, State::ALL[state], second)),
                Step::GivenUp(ix) => {
                    screen.fact(Fact::Health { ix: JobIx(ix), health: Health::GivenUp("not found".to_owned()) });
                }
                Step::Gone(ix) => screen.fact(Fact::Withdrawn(JobIx(ix))),
                Step::Settled => screen.fact(Fact::Settled),
                Step::Waited(seconds) => screen.wait(seconds),
            }
            let drawn = screen.draw();
            let (width, height) = screen.app.size;
            prop_assert_eq!(drawn.lines().count(), usize::from(height), "{}x{}", width, height);
        }
    }
}
