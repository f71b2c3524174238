package codec

import "reflect"

// Form is the struct of the event with that wire name in its current form; nil
// for a name that is not in the registry. What describes events to others is
// made from it.
func (c *Codec) Form(wireName string) reflect.Type { return c.events[wireName].form }
