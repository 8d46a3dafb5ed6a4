;; The limit is on the memories of all instances together.
(component
  (core module $m
    (memory 1)
    (func (export "run") (param $n i32) (result i32) (memory.grow (local.get $n))))
  (core instance $a (instantiate $m))
  (core instance $b (instantiate $m))
  (core module $both
    (import "a" "run" (func $a (param i32) (result i32)))
    (import "b" "run" (func $b (param i32) (result i32)))
    (func (export "run") (param $n i32) (result i32)
      (i32.add (i32.mul (call $a (local.get $n)) (i32.const 100)) (call $b (local.get $n)))))
  (core instance $i (instantiate $both (with "a" (instance $a)) (with "b" (instance $b))))
  (func (export "run") (param "n" u32) (result u32) (canon lift (core func $i "run"))))
