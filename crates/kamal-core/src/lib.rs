//! The deploy engine: configuration, model, observe, plan and run, without any IO.
