//! Processing: a result is clean, at most as large as the input, and kept unchanged when it is processed again.
#![no_main]

mod start;

use image_rules::{Action, Code, Plan, inspect, process};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let policy = start::POLICY;
    let Ok(report) = inspect(bytes, &policy) else { return };
    let Ok(plan) = Plan::new(&report, &policy) else { return };
    let made = match process(bytes, &plan, &policy.limits) {
        Ok(made) => made,
        Err(refused) => {
            assert!(
                matches!(refused.code(), Code::ImageCorrupt | Code::ImageTooLarge),
                "{refused}"
            );
            return;
        }
    };
    // Scrubbing may add an end mark or a block with the orientation.
    assert!(made.bytes().len() <= bytes.len() + 64);
    let again = inspect(made.bytes(), &policy).expect("a processed picture is accepted");
    assert!(again.is_clean(), "left behind: {:?}", again.metadata);
    assert_eq!(
        (again.format, again.upright_size()),
        (made.format(), (made.width(), made.height()))
    );
    let plan = Plan::new(&again, &policy).expect("a processed picture can be planned");
    if plan.action() == Action::Keep {
        let kept = process(made.bytes(), &plan, &policy.limits).expect("the result decodes");
        assert_eq!((kept.action(), kept.bytes()), (Action::Keep, made.bytes()));
    } else {
        assert_ne!(made.action(), Action::Optimise);
    }
});
