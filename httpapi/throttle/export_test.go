package throttle

// How long Redis has to answer, and is left alone when it has not.
const (
	RedisPatience = redisPatience
	RedisPause    = redisPause
)
