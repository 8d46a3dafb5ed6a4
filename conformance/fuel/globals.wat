;; Globals that change, that are exported and imported, and that are computed from others.
(component
  (core module $a
    (global (export "counter") (mut i32) (i32.const 3))
    (global (export "base") i32 (i32.const 40)))
  (core module $b
    (import "a" "counter" (global $counter (mut i32)))
    (import "a" "base" (global $base i32))
    (global $sum i32 (i32.add (global.get $base) (i32.mul (i32.const 2) (i32.const 3))))
    (global $wide (mut i64) (i64.const -5))
    (global $float (mut f64) (f64.const 0.5))
    (func (export "run") (param $n i32) (result i32)
      (global.set $counter (i32.add (global.get $counter) (local.get $n)))
      (global.set $wide (i64.mul (global.get $wide) (i64.const 3)))
      (global.set $float (f64.mul (global.get $float) (f64.const 9)))
      (i32.add (i32.add (global.get $counter) (global.get $sum))
        (i32.add (i32.wrap_i64 (global.get $wide)) (i32.trunc_f64_s (global.get $float))))))
  (core instance $a (instantiate $a))
  (core instance $b (instantiate $b (with "a" (instance $a))))
  (func (export "run") (param "n" u32) (result u32) (canon lift (core func $b "run"))))
