;; A start function runs before the call, in the call's fuel and with its limits.
(component
  (core module $m
    (memory 1)
    (global $made (mut i32) (i32.const 0))
    (func $start
      (loop $l
        (global.set $made (i32.add (global.get $made) (i32.const 3)))
        (br_if $l (i32.lt_u (global.get $made) (i32.const 3000))))
      (drop (memory.grow (i32.const 2))))
    (start $start)
    (func (export "run") (param $n i32) (result i32) (i32.add (global.get $made) (i32.add (local.get $n) (memory.size)))))
  (core instance $i (instantiate $m))
  (func (export "run") (param "n" u32) (result u32) (canon lift (core func $i "run"))))
