//! How to use a registry, for agents that load skills. See agentskills, "SKILL.md".

/// The skill, as `SKILL.md`.
pub const SKILL: &str = include_str!("../skills/glassbox/SKILL.md");
