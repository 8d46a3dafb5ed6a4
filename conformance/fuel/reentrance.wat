;; A component may not call into a part of itself: that part must stand beside it, as in the others.
(component
  (component $inner
    (core module $m (func (export "run") (param i32) (result i32) (local.get 0)))
    (core instance $i (instantiate $m))
    (func (export "run") (param "n" u32) (result u32) (canon lift (core func $i "run"))))
  (instance $inner (instantiate $inner))
  (core func $run (canon lower (func $inner "run")))
  (core module $m
    (import "" "run" (func $run (param i32) (result i32)))
    (func (export "run") (param i32) (result i32) (call $run (local.get 0))))
  (core instance $i (instantiate $m (with "" (instance (export "run" (func $run))))))
  (func (export "run") (param "n" u32) (result u32) (canon lift (core func $i "run"))))
